use proc_macro2::TokenStream;
use quote::quote;

/// The kind of a concrete type, found out by the compiler.
pub(crate) fn field_kind(ty: &TokenStream) -> TokenStream {
    quote!(::formicary::__private::field_kind!(#ty))
}

/// One entry of `fields()`.
pub(crate) fn field(name: &str, kind: &TokenStream) -> TokenStream {
    quote!(::formicary::__private::Field { name: #name, kind: #kind })
}
