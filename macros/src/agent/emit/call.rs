//! A handler's call of the builder.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::Writer;
use crate::agent::handler::Handler;
use crate::agent::kind::Kind;
use crate::agent::receiver::Hears;
use crate::agent::settings::literal;
use crate::agent::signature::{Payload, Turn};
use crate::agent::types;

/// As many as the tuples that are extractors.
const TUPLE: usize = 8;

impl Writer<'_> {
    /// One call of the builder.
    pub(super) fn call(&self) -> TokenStream {
        let Handler { method, kind, settings, signature, cfgs } = self.handler;
        let name = crate::names::plain(method);
        let closure = self.closure();
        let call = match kind {
            Kind::Receiver(hears) => {
                let filter = hears.filter.as_ref().zip(signature.payload.as_ref());
                let filter = filter.map(|(filter, payload)| self.filter(filter, &payload.ty));
                let register = self.register(if hears.is_by_type { "receiver" } else { "receiver_of" });
                let signals = (!hears.is_by_type).then(|| self.signals(hears));
                quote!(#register(#signals #name, #closure) #filter)
            }
            Kind::Consumer { queue, policy } => {
                let payload = signature.payload.as_ref();
                let kind = if payload.is_some_and(|payload| payload.batched) { "batch_consumer" } else { "consumer" };
                let register = self.register(kind);
                let queue = queue.as_ref().or(payload.map(|payload| &payload.ty));
                let queue = queue.map(|queue| self.stand_in("QueueName", queue));
                let policy = payload.map(|payload| self.policy(policy, &payload.ty));
                quote!(#register::<#queue, _, _, _, _>(#name, #closure) #policy)
            }
            Kind::Exhausted { queue } => {
                let (register, queue) = (self.register("on_exhausted"), self.stand_in("QueueName", queue));
                quote!(#register::<#queue, _, _, _, _>(#name, #closure))
            }
            Kind::Periodic { period } => {
                let (register, period) = (self.register("periodic"), literal(*period));
                quote!(#register(#name, #period, #closure))
            }
            Kind::Cron { expression, zone } => {
                let register = self.register("cron");
                quote!(#register(#name, #expression, #zone, #closure))
            }
            Kind::PreStart => quote!(pre_start(#name, #closure)),
            Kind::PostStart => quote!(post_start(#name, #closure)),
            Kind::PreStop => quote!(pre_stop(#name, #closure)),
            Kind::Server => quote!(server(#name, #closure)),
        };
        let (it, settings) = (super::builder(), types::without_self(settings, self.agent));
        quote!(#(#cfgs)* { #it.#call #settings; })
    }

    /// The list of signals, as the first argument.
    fn signals(&self, hears: &Hears) -> TokenStream {
        let typed = hears.signals.iter().map(|signal| {
            let stand_in = self.stand_in("SignalPayload", signal);
            quote!(<#stand_in as ::formicary::Signal>::NAME)
        });
        let all = typed.chain(hears.texts.iter().map(ToTokens::to_token_stream));
        quote!(&[#(#all),*],)
    }

    /// The builder's method.
    fn register(&self, kind: &str) -> Ident {
        match self.handler.signature.turn {
            Turn::Write => format_ident!("{kind}_mut"),
            Turn::Blocking => format_ident!("blocking_{kind}"),
            Turn::Read | Turn::Handle => format_ident!("{kind}"),
        }
    }

    /// The closure that calls the method.
    fn closure(&self) -> TokenStream {
        let Handler { method, kind, signature, .. } = self.handler;
        let agent = self.agent;
        let me = match (signature.turn, kind) {
            (Turn::Blocking, _) => None,
            (Turn::Handle, _) => Some(quote!(::formicary::Handle<#agent>)),
            (Turn::Write, _) | (_, Kind::PreStart | Kind::PreStop) => Some(quote!(&mut #agent)),
            (Turn::Read, _) => Some(quote!(&#agent)),
        };
        let (mut parameters, mut arguments) = (Vec::new(), Vec::new());
        if let Some(me) = me {
            parameters.push(quote!(me: #me));
            arguments.push(quote!(me));
        }
        match (&signature.payload, self.payload_trait()) {
            (Some(Payload { ty, batched }), Some(trait_name)) => {
                let (it, demand) = (self.stand_in(trait_name, ty), self.demand(trait_name, ty));
                let (it, give) = if *batched {
                    (quote!(::std::vec::Vec<::formicary::Item<#it>>), quote!(give_all))
                } else {
                    (it, quote!(give))
                };
                parameters.push(quote!(payload: #it));
                arguments.push(quote!(<() as #demand>::#give(payload)));
            }
            (Some(_), None) => {
                parameters.push(quote!(payload: ::formicary::AnySignal));
                arguments.push(quote!(payload));
            }
            (None, _) => {}
        }
        let trait_name = self.argument_trait();
        let names: Vec<_> = (0..signature.extractors.len()).map(|index| format_ident!("extracted_{index}")).collect();
        let types: Vec<_> = signature.extractors.iter().map(|one| self.stand_in(trait_name, &one.ty)).collect();
        for (extractor, name) in signature.extractors.iter().zip(&names) {
            let demand = self.demand(trait_name, &extractor.ty);
            let borrow = extractor.borrowed.then(|| quote!(&));
            arguments.push(quote!(#borrow <() as #demand>::give(#name)));
        }
        let (patterns, types) = (nested(&names), nested(&types));
        parameters.push(quote!(#patterns: #types));
        let returned = self.demand(self.returned_trait(), &signature.output);
        let (asynchronous, wait) =
            if self.blocks() { (None, None) } else { (Some(quote!(async)), Some(quote!(.await))) };
        quote! {
            #asynchronous |#(#parameters),*| <() as #returned>::take(<#agent>::#method(#(#arguments),*) #wait)
        }
    }
}

/// A tuple; of tuples, when there are many.
fn nested<T: ToTokens>(items: &[T]) -> TokenStream {
    if items.len() <= TUPLE {
        return quote!((#(#items,)*));
    }
    let tuples: Vec<_> = items.chunks(TUPLE).map(nested).collect();
    nested(&tuples)
}
