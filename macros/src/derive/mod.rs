//! `#[derive(Signal)]` and `#[derive(Queue)]`.

mod attributes;
mod fields;
mod rename;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields};

use crate::field_kind::field_kind;
use crate::names;
use crate::options::Options;
use crate::problems::Problems;

/// What both derives need.
struct Derived {
    input: DeriveInput,
    name: String,
    answer: Option<TokenStream>,
    /// The entries of `fields()`; `None` when the type is no struct with named fields.
    fields: Option<Vec<TokenStream>>,
}

pub(crate) fn signal(item: TokenStream) -> TokenStream {
    let check = |name: &str| formicary_protocol::check_signal_name(name);
    let derived = match read(item, "signal", check) {
        Ok(derived) => derived,
        Err(errors) => return errors,
    };
    let Derived { input, name, answer, fields } = derived;
    let ident = &input.ident;
    let Some(fields) = fields else {
        let text = "the arguments of a signal are a JSON object: derive `Signal` for a struct with named fields";
        return syn::Error::new(ident.span(), text).into_compile_error();
    };
    let answer = answer.unwrap_or_else(|| quote!(::formicary::Value));
    let answer_kind = field_kind(&answer);
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl ::formicary::Signal for #ident {
            const NAME: &'static str = #name;
            type Answer = #answer;
            fn fields() -> ::std::vec::Vec<::formicary::__private::Field> {
                ::std::vec![#(#fields),*]
            }
            fn answer_kind() -> ::formicary::__private::FieldKind {
                #answer_kind
            }
        }
    }
}

pub(crate) fn queue(item: TokenStream) -> TokenStream {
    let check = |name: &str| formicary_protocol::check_queue_name(name);
    let Derived { input, name, fields, .. } = match read(item, "queue", check) {
        Ok(derived) => derived,
        Err(errors) => return errors,
    };
    let ident = &input.ident;
    let fields = match fields {
        Some(fields) => quote!(::core::option::Option::Some(::std::vec![#(#fields),*])),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl ::formicary::Queue for #ident {
            const NAME: &'static str = #name;
            type Message = Self;
            fn fields() -> ::core::option::Option<::std::vec::Vec<::formicary::__private::Field>> {
                #fields
            }
        }
    }
}

fn read(
    item: TokenStream,
    what: &'static str,
    check: impl Fn(&str) -> Result<(), formicary_protocol::Error>,
) -> Result<Derived, TokenStream> {
    let input: DeriveInput = syn::parse2(item).map_err(syn::Error::into_compile_error)?;
    let mut problems = Problems::default();
    if !input.generics.params.is_empty() {
        let text = format!("a {what} is one type with one set of fields: take the parameters away");
        problems.at(&input.generics, text);
    }
    let (mut name, mut answer) = (None, None);
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident(what)) {
        let Some(list) = problems.keep(attribute.meta.require_list()) else {
            continue;
        };
        let mut options = Options::parse(what, list.delimiter.span().join(), list.tokens.clone(), &mut problems);
        name = name.or(options.string("name", &format!("the {what}'s name in quotes"), &mut problems));
        if what == "signal" {
            answer = answer.or(options.ty("answer", &mut problems));
        }
        options.finish(if what == "signal" { "name, answer" } else { "name" }, &mut problems);
    }
    let (name, span) = name.unwrap_or_else(|| (names::snake_case(&names::plain(&input.ident)), input.ident.span()));
    if let Err(error) = check(&name) {
        problems.here(span, error);
    }
    let container = attributes::container(&input.attrs, &mut problems);
    let fields = match &input.data {
        // Whatever the type is, something else is what travels.
        _ if container.replaced => None,
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => Some(fields::entries(named, container.rename_all, &mut problems)),
            Fields::Unit if what == "signal" => Some(Vec::new()),
            _ => None,
        },
        _ => None,
    };
    if problems.is_empty() {
        let answer = answer.map(|ty| quote!(#ty));
        Ok(Derived { input, name, answer, fields })
    } else {
        Err(problems.into_tokens())
    }
}

#[cfg(test)]
mod tests;
