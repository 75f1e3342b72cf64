//! The code that `#[agent]` writes.
//!
//! Every type of a handler's signature must be something: a signal, an extractor, an answer. Each such demand is a
//! `where` clause at the place of the type, `(): Argument<T>`. The compiler reports one that does not hold there and nowhere
//! else, in a few lines: the clause satisfies the code below it, and `Agent` itself calls that code through a method that
//! is looked up, so that a clause that does not hold makes the agent empty instead of no agent.

mod call;
mod demands;
mod filter;
mod policy;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{ItemImpl, Type, parse_quote};

use super::handler::Handler;
use super::types;

/// No agent can have this name. It is a backstop: the compiler does not report a clause about a type that hides a
/// `for<'a>`, such as an alias of `fn(&u8)`, and an agent must not lose its handlers in silence.
const REFUSED: &str =
    "#[agent]: a handler has an argument or a result of a wrong type; write this agent with the builder to see which";

pub(super) fn implementation(
    block: &ItemImpl,
    name: Option<&str>,
    layers: &TokenStream,
    handlers: &[Handler],
) -> TokenStream {
    let agent = &block.self_ty;
    let writers: Vec<_> = handlers.iter().map(|handler| Writer { agent, handler }).collect();
    let calls = writers.iter().map(Writer::call);
    let it = builder();
    let name = name.map(|name| quote!(#it.name(#name);));
    let layers = (!layers.is_empty()).then(|| types::without_self(layers, agent)).map(|layers| quote!(#it #layers;));
    let body = quote!(#name #layers #(#calls)*);
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
                fn declare(#it: &mut ::formicary::AgentBuilder<Self>) {
                    let _ = &#it;
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
                fn handlers(&self, #it: #builder);
            }
            #[allow(dead_code)]
            trait __FormicaryNothing {
                fn handlers(&self, #it: #builder);
            }
            impl __FormicaryNothing for #probe {
                fn handlers(&self, #it: #builder) {
                    #it.name(#REFUSED);
                }
            }
            #[allow(trivial_bounds)]
            impl __FormicaryHandlers for &#probe
            where
                #(#demands,)*
            {
                fn handlers(&self, #it: #builder) {
                    #body
                }
            }
            #[automatically_derived]
            impl ::formicary::Agent for #agent {
                fn declare(#it: #builder) {
                    (&&::formicary::__private::Probe::<#agent>::new()).handlers(#it)
                }
            }
        };
    }
}

/// The builder's variable. Nothing that the user writes, such as `layer = agent()`, means it.
fn builder() -> Ident {
    Ident::new("agent", Span::mixed_site())
}

/// Writes what belongs to one handler.
struct Writer<'a> {
    agent: &'a Type,
    handler: &'a Handler,
}
