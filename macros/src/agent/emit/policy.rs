//! The calls of a consumer's policy that look into its payload.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;

use super::Writer;
use crate::agent::policy::{Field, Policy};

impl Writer<'_> {
    pub(super) fn policy(&self, policy: &Policy, payload: &Type) -> TokenStream {
        let by = policy.by.as_ref().map(|by| {
            let key = self.key(by, payload);
            quote!(.by(#key))
        });
        let dedup = policy.dedup.as_ref().map(|dedup| {
            let window = &dedup.window;
            match &dedup.by {
                Some(by) => {
                    let key = self.key(by, payload);
                    quote!(.dedup_by(#window, #key))
                }
                None => quote!(.dedup(#window)),
            }
        });
        let batch = policy.batch.as_ref().map(|batch| &batch.call);
        quote!(#by #dedup #batch)
    }

    /// The closure that takes a field out of the payload. The compiler says at the string when there is no such field.
    fn key(&self, field: &Field, payload: &Type) -> TokenStream {
        let trait_name = self.payload_trait().unwrap_or("QueuePayload");
        let (it, demand) = (self.stand_in(trait_name, payload), self.demand(trait_name, payload));
        let names = &field.names;
        let whole = quote_spanned!(field.span=> <() as #demand>::look(payload));
        let key = quote_spanned!(field.span=> <() as ::formicary::__private::Key<_>>::of(&#whole #(.#names)*));
        quote_spanned!(field.span=> |payload: &#it| #key)
    }
}
