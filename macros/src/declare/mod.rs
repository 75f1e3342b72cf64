//! `declare!`: types for the signals and queues of a document.

mod document;
mod types;
mod write;

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

/// Reads the document, and writes its types.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let path = match syn::parse2::<LitStr>(tokens) {
        Ok(path) => path,
        Err(error) => {
            let error = syn::Error::new(error.span(), "declare! takes a path in quotes: declare!(\"signals.json\")");
            return error.into_compile_error();
        }
    };
    let (name, span) = (path.value(), path.span());
    let document = match document::read(&name) {
        Ok(document) => document,
        Err(problem) => return syn::Error::new(span, problem).into_compile_error(),
    };
    let written = document.declarations(&name).and_then(|declarations| write::modules(&declarations, &name));
    let tracked = document.tracked();
    match written {
        Ok(modules) => {
            let function = write::function(&document.text, &name);
            quote!(#tracked #modules #function)
        }
        Err(problem) => {
            let error = syn::Error::new(span, problem).into_compile_error();
            quote!(#tracked #error)
        }
    }
}

#[cfg(test)]
mod tests;
