//! What the types of a signature must be.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;
use syn::Type;

use super::Writer;
use crate::agent::kind::Kind;
use crate::agent::signature::Turn;
use crate::agent::types;

impl Writer<'_> {
    /// The `where` clauses. A method under `#[cfg]` has none: a clause cannot be under one.
    pub(super) fn demands(&self) -> Vec<TokenStream> {
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
            (Kind::Receiver(hears), _) => hears.signals.iter().for_each(|signal| add("SignalPayload", signal)),
            (Kind::Consumer { queue, .. }, Some(payload)) => add("QueueName", queue.as_ref().unwrap_or(&payload.ty)),
            _ => {}
        }
        if let (Some(trait_name), Some(payload)) = (self.payload_trait(), &signature.payload) {
            add(trait_name, &payload.ty);
        }
        for extractor in &signature.extractors {
            add(self.argument_trait(), &extractor.ty);
        }
        add(self.returned_trait(), &signature.output);
        all
    }

    /// What the payload must be; nothing when it is an `AnySignal`.
    pub(super) fn payload_trait(&self) -> Option<&'static str> {
        match &self.handler.kind {
            Kind::Receiver(hears) if !hears.is_by_type => None,
            Kind::Receiver(_) => Some(if self.blocks() { "BlockingSignal" } else { "SignalPayload" }),
            _ => Some(if self.blocks() { "BlockingMessage" } else { "QueuePayload" }),
        }
    }

    /// What an extractor must be.
    pub(super) fn argument_trait(&self) -> &'static str {
        if self.blocks() { "BlockingArgument" } else { "Argument" }
    }

    /// What the method must return. Only the answer of a receiver comes back from the pool.
    pub(super) fn returned_trait(&self) -> &'static str {
        let answers = matches!(self.handler.kind, Kind::Receiver(_));
        if self.blocks() && answers { "BlockingReturned" } else { "Returned" }
    }

    pub(super) fn blocks(&self) -> bool {
        self.handler.signature.turn == Turn::Blocking
    }

    /// `trait_name<ty>` at the place of the type.
    pub(super) fn demand(&self, trait_name: &str, ty: &Type) -> TokenStream {
        let (first, last) = types::ends(ty);
        let name = Ident::new(trait_name, first);
        let mut demand = quote_spanned!(first=> ::formicary::__private::#name<);
        demand.extend(types::without_self(ty, self.agent));
        demand.extend(quote_spanned!(last=> >));
        demand
    }

    /// The type that stands for `ty` in the builder's call: itself, when the demand holds.
    pub(super) fn stand_in(&self, trait_name: &str, ty: &Type) -> TokenStream {
        let (demand, (first, last)) = (self.demand(trait_name, ty), types::ends(ty));
        let mut stand_in = quote_spanned!(first=> <() as #demand);
        stand_in.extend(quote_spanned!(last=> >::It));
        stand_in
    }
}
