//! The code that `#[agent]` writes.
//!
//! Every type of a handler's signature must be something: a signal, an extractor, an answer. Each such demand is a
//! `where` clause at the place of the type, `(): Argument<T>`. The compiler reports one that does not hold there and nowhere
//! else, in a few lines: the clause satisfies the code below it, and `Agent` itself calls that code through a method that
//! is looked up, so that a clause that does not hold makes the agent empty instead of no agent.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{ItemImpl, Type, parse_quote};

use super::handler::Handler;
use super::kind::Kind;
use super::settings::literal;
use super::signature::Turn;
use super::types;

/// As many as the tuples that are extractors.
const TUPLE: usize = 8;

/// No agent can have this name. It is a backstop: the compiler does not report a clause about a type that hides a
/// `for<'a>`, such as an alias of `fn(&u8)`, and an agent must not lose its handlers in silence.
const REFUSED: &str =
    "#[agent]: a handler has an argument or a result of a wrong type; write this agent with the builder to see which";

pub(super) fn implementation(block: &ItemImpl, name: Option<&str>, handlers: &[Handler]) -> TokenStream {
    let agent = &block.self_ty;
    let writers: Vec<_> = handlers.iter().map(|handler| Writer { agent, handler }).collect();
    let calls = writers.iter().map(Writer::call);
    let name = name.map(|name| quote!(agent.name(#name);));
    let body = quote!(#name #(#calls)*);
    let mut generics = block.generics.clone();
    for parameter in block.generics.type_params() {
        let name = &parameter.ident;
        generics.make_where_clause().predicates.push(parse_quote!(#name: 'static));
    }
    let (generics, _, clause) = generics.split_for_impl();
    if !block.generics.params.is_empty() || handlers.is_empty() {
        return quote! {
            #[automatically_derived]
            #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
            impl #generics ::formicary::Agent for #agent #clause {
                fn declare(agent: &mut ::formicary::AgentBuilder<Self>) {
                    let _ = &agent;
                    #body
                }
            }
        };
    }
    let demands = writers.iter().flat_map(Writer::demands);
    let builder = quote!(&mut ::formicary::AgentBuilder<#agent>);
    let probe = quote!(::formicary::__private::Probe<#agent>);
    quote! {
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        const _: () = {
            trait __FormicaryHandlers {
                fn handlers(&self, agent: #builder);
            }
            #[allow(dead_code)]
            trait __FormicaryNothing {
                fn handlers(&self, agent: #builder);
            }
            impl __FormicaryNothing for #probe {
                fn handlers(&self, agent: #builder) {
                    agent.name(#REFUSED);
                }
            }
            #[allow(trivial_bounds)]
            impl __FormicaryHandlers for &#probe
            where
                #(#demands,)*
            {
                fn handlers(&self, agent: #builder) {
                    #body
                }
            }
            #[automatically_derived]
            impl ::formicary::Agent for #agent {
                fn declare(agent: #builder) {
                    (&&::formicary::__private::Probe::<#agent>::new()).handlers(agent)
                }
            }
        };
    }
}

struct Writer<'a> {
    agent: &'a Type,
    handler: &'a Handler,
}

impl Writer<'_> {
    /// `trait_name<ty>` at the place of the type.
    fn demand(&self, trait_name: &str, ty: &Type) -> TokenStream {
        let (first, last) = types::ends(ty);
        let name = Ident::new(trait_name, first);
        let mut demand = quote_spanned!(first=> ::formicary::__private::#name<);
        demand.extend(types::without_self(ty, self.agent));
        demand.extend(quote_spanned!(last=> >));
        demand
    }

    /// The type that stands for `ty` in the builder's call: itself, when the demand holds.
    fn stand_in(&self, trait_name: &str, ty: &Type) -> TokenStream {
        let (demand, (first, last)) = (self.demand(trait_name, ty), types::ends(ty));
        let mut stand_in = quote_spanned!(first=> <() as #demand);
        stand_in.extend(quote_spanned!(last=> >::It));
        stand_in
    }

    /// The `where` clauses. A method under `#[cfg]` has none: a clause cannot be under one.
    fn demands(&self) -> Vec<TokenStream> {
        let (signature, kind) = (&self.handler.signature, &self.handler.kind);
        if !self.handler.cfgs.is_empty() {
            return Vec::new();
        }
        let mut all = Vec::new();
        let mut add = |trait_name: &str, ty: &Type| {
            let (demand, (first, _)) = (self.demand(trait_name, ty), types::ends(ty));
            all.push(quote_spanned!(first=> (): #demand));
        };
        match (kind, &signature.payload) {
            (Kind::Receiver { signals }, Some(payload)) if signals.is_empty() => add("SignalPayload", payload),
            (Kind::Receiver { signals }, _) => signals.iter().for_each(|signal| add("SignalPayload", signal)),
            (Kind::Consumer { queue }, Some(payload)) => {
                add("QueueName", queue.as_ref().unwrap_or(payload));
                add("QueuePayload", payload);
            }
            _ => {}
        }
        for extractor in &signature.extractors {
            add("Argument", &extractor.ty);
        }
        add("Returned", &signature.output);
        all
    }

    /// One call of the builder.
    fn call(&self) -> TokenStream {
        let Handler { method, kind, settings, signature, cfgs } = self.handler;
        let name = crate::names::plain(method);
        let suffix = if signature.turn == Turn::Write { "_mut" } else { "" };
        let closure = self.closure();
        let call = match kind {
            Kind::Receiver { signals } if signals.is_empty() => {
                let register = format_ident!("receiver{suffix}");
                quote!(#register(#name, #closure))
            }
            Kind::Receiver { signals } => {
                let register = format_ident!("receiver_of{suffix}");
                let signals = signals.iter().map(|signal| {
                    let stand_in = self.stand_in("SignalPayload", signal);
                    quote!(<#stand_in as ::formicary::Signal>::NAME)
                });
                quote!(#register(&[#(#signals),*], #name, #closure))
            }
            Kind::Consumer { queue } => {
                let register = format_ident!("consumer{suffix}");
                let queue =
                    queue.as_ref().or(signature.payload.as_ref()).map(|queue| self.stand_in("QueueName", queue));
                quote!(#register::<#queue, _, _, _, _>(#name, #closure))
            }
            Kind::Periodic { period } => {
                let (register, period) = (format_ident!("periodic{suffix}"), literal(*period));
                quote!(#register(#name, #period, #closure))
            }
            Kind::Cron { expression, zone } => {
                let register = format_ident!("cron{suffix}");
                quote!(#register(#name, #expression, #zone, #closure))
            }
            Kind::PreStart => quote!(pre_start(#name, #closure)),
            Kind::PostStart => quote!(post_start(#name, #closure)),
            Kind::PreStop => quote!(pre_stop(#name, #closure)),
            Kind::Server => quote!(server(#name, #closure)),
        };
        quote!(#(#cfgs)* { agent.#call #settings; })
    }

    /// The async closure that calls the method.
    fn closure(&self) -> TokenStream {
        let Handler { method, kind, signature, .. } = self.handler;
        let agent = self.agent;
        let me = match (signature.turn, kind) {
            (Turn::Handle, _) => quote!(::formicary::Handle<#agent>),
            (Turn::Write, _) | (_, Kind::PreStart | Kind::PreStop) => quote!(&mut #agent),
            (Turn::Read, _) => quote!(&#agent),
        };
        let (mut parameters, mut arguments) = (quote!(me: #me), quote!(me));
        if let Some(payload) = &signature.payload {
            let trait_name = match kind {
                Kind::Receiver { signals } if signals.is_empty() => Some("SignalPayload"),
                Kind::Receiver { .. } => None,
                _ => Some("QueuePayload"),
            };
            match trait_name {
                None => {
                    parameters.extend(quote!(, payload: ::formicary::SignalValue));
                    arguments.extend(quote!(, payload));
                }
                Some(trait_name) => {
                    let (ty, demand) = (self.stand_in(trait_name, payload), self.demand(trait_name, payload));
                    parameters.extend(quote!(, payload: #ty));
                    arguments.extend(quote!(, <() as #demand>::give(payload)));
                }
            }
        }
        let names: Vec<_> = (0..signature.extractors.len()).map(|index| format_ident!("extracted_{index}")).collect();
        let types: Vec<_> = signature.extractors.iter().map(|one| self.stand_in("Argument", &one.ty)).collect();
        for (extractor, name) in signature.extractors.iter().zip(&names) {
            let demand = self.demand("Argument", &extractor.ty);
            let borrow = extractor.borrowed.then(|| quote!(&));
            arguments.extend(quote!(, #borrow <() as #demand>::give(#name)));
        }
        let (patterns, types) = (nested(&names), nested(&types));
        let returned = self.returned();
        quote! {
            async |#parameters, #patterns: #types| <() as #returned>::take(<#agent>::#method(#arguments).await)
        }
    }

    fn returned(&self) -> TokenStream {
        self.demand("Returned", &self.handler.signature.output)
    }
}

/// A tuple; of tuples, when there are many.
fn nested<T: quote::ToTokens>(items: &[T]) -> TokenStream {
    if items.len() <= TUPLE {
        return quote!((#(#items,)*));
    }
    let tuples: Vec<_> = items.chunks(TUPLE).map(nested).collect();
    nested(&tuples)
}
