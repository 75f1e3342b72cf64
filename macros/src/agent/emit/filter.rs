//! The filter of a receiver.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Type;

use super::Writer;
use crate::agent::types;

impl Writer<'_> {
    /// The call that sets it. The compiler says at the function's place, and in a few lines, when it is none.
    pub(super) fn filter(&self, function: &TokenStream, payload: &Type) -> TokenStream {
        let place = function.clone().into_iter().next().map_or_else(Span::call_site, |tree| tree.span());
        let function = types::without_self(function, self.agent);
        let ty = types::without_self(payload, self.agent);
        let (it, look) = match self.payload_trait() {
            Some(trait_name) => {
                let (it, demand) = (self.stand_in(trait_name, payload), self.demand(trait_name, payload));
                (it, quote_spanned!(place=> <() as #demand>::look(payload)))
            }
            None => (ty.clone(), quote_spanned!(place=> payload)),
        };
        let sieve = quote_spanned!(place=> ::formicary::__private::Sieve::<#ty> { takes: #function }.takes);
        quote_spanned!(place=> .filter({ let takes = #sieve; move |payload: &#it| takes(#look) }))
    }
}
