//! The code that `declare!` writes.

use std::collections::BTreeMap;

use formicary_protocol::{Argument, Declarations, QueueDeclaration, SignalDeclaration};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{document, types};
use crate::field_kind::{field, field_kind};
use crate::names;

/// `mod signals` and `mod queues`.
pub(super) fn modules(declarations: &Declarations, source: &str) -> Result<TokenStream, String> {
    let mut writer = Writer { problems: Vec::new() };
    let signal_names = writer.names("signal", declarations.signals().map(|signal| signal.name.as_str()));
    let queue_names = writer.names("queue", declarations.queues().map(|queue| queue.name.as_str()));
    let signals: Vec<_> = declarations
        .signals()
        .filter_map(|signal| Some(writer.signal(signal, signal_names.get(&signal.name)?)))
        .collect();
    let queues: Vec<_> =
        declarations.queues().filter_map(|queue| Some(writer.queue(queue, queue_names.get(&queue.name)?))).collect();
    if !writer.problems.is_empty() {
        return Err(document::mistakes(source, &writer.problems));
    }
    let signals_doc = format!("The signals of `{source}`.");
    let queues_doc = format!("The queues of `{source}`.");
    Ok(quote! {
        #[doc = #signals_doc]
        #[allow(dead_code, unreachable_pub, non_snake_case, clippy::all, clippy::pedantic)]
        pub mod signals { #(#signals)* }
        #[doc = #queues_doc]
        #[allow(dead_code, unreachable_pub, non_snake_case, clippy::all, clippy::pedantic)]
        pub mod queues { #(#queues)* }
    })
}

/// `fn declarations()`.
pub(super) fn function(text: &str, source: &str) -> TokenStream {
    let doc = format!("The declarations of `{source}`, as they were when this was built. No file is read.");
    quote! {
        #[doc = #doc]
        #[allow(dead_code, unreachable_pub)]
        #[must_use]
        pub fn declarations() -> ::formicary::Declarations {
            ::formicary::__private::declarations(#text, #source)
        }
    }
}

struct Writer {
    problems: Vec<String>,
}

impl Writer {
    /// The type's name for each signal or queue. A name that two of them would have is a mistake.
    fn names<'a>(&mut self, what: &str, all: impl Iterator<Item = &'a str>) -> BTreeMap<String, Ident> {
        self.distinct(&format!("{what} "), "type", names::type_name, all)
    }

    fn distinct<'a>(
        &mut self,
        place: &str,
        what: &str,
        make: fn(&str) -> Option<Ident>,
        all: impl Iterator<Item = &'a str>,
    ) -> BTreeMap<String, Ident> {
        let mut found: BTreeMap<String, Ident> = BTreeMap::new();
        for name in all {
            let Some(ident) = make(name) else {
                self.problems.push(format!("{place}{name:?} has nothing to name a {what} by: give it a letter"));
                continue;
            };
            if let Some((other, _)) = found.iter().find(|(_, other)| **other == ident) {
                let problem = format!("{place}{name:?} and {other:?} would both be the {what} `{ident}`: rename one");
                self.problems.push(problem);
            }
            found.insert(name.to_owned(), ident);
        }
        found
    }

    fn signal(&mut self, signal: &SignalDeclaration, ident: &Ident) -> TokenStream {
        let name = &signal.name;
        let answer_doc = signal.answer.map(|answer| format!(" A call of it is answered with {answer}."));
        let doc = format!("The signal `{name}`.{}", answer_doc.unwrap_or_default());
        let (structure, fields) =
            self.structure(&format!("signal {name:?}, argument "), &doc, ident, &signal.arguments);
        let answer = signal.answer.map_or_else(|| quote!(::formicary::Value), |answer| types::of_name(answer).0);
        let answer_kind = field_kind(&answer);
        quote! {
            #structure
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

    fn queue(&mut self, queue: &QueueDeclaration, ident: &Ident) -> TokenStream {
        let name = &queue.name;
        let doc = format!("The queue `{name}`.");
        let (structure, message, fields) = match &queue.message {
            Some(arguments) => {
                let doc = format!("{doc} This is its message.");
                let (structure, fields) = self.structure(&format!("queue {name:?}, field "), &doc, ident, arguments);
                (structure, quote!(Self), quote!(::core::option::Option::Some(::std::vec![#(#fields),*])))
            }
            None => {
                let doc = format!("{doc} Its messages are any values.");
                let structure = quote! {
                    #[doc = #doc]
                    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
                    pub struct #ident;
                };
                (structure, quote!(::formicary::Value), quote!(::core::option::Option::None))
            }
        };
        quote! {
            #structure
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl ::formicary::Queue for #ident {
                const NAME: &'static str = #name;
                type Message = #message;
                fn fields() -> ::core::option::Option<::std::vec::Vec<::formicary::__private::Field>> {
                    #fields
                }
            }
        }
    }

    /// The struct, and the entries of its `fields()`.
    fn structure(
        &mut self,
        place: &str,
        doc: &str,
        ident: &Ident,
        arguments: &[Argument],
    ) -> (TokenStream, Vec<TokenStream>) {
        let idents = self.distinct(place, "field", names::field_name, arguments.iter().map(|one| one.name.as_str()));
        let (mut members, mut entries, mut eq) = (Vec::new(), Vec::new(), true);
        for argument in arguments {
            let Some(field_ident) = idents.get(&argument.name) else {
                continue;
            };
            let (name, rust) = (&argument.name, types::of(&argument.types));
            let ty = &rust.ty;
            let doc = format!("`{name}`: {}.", argument.types);
            let rename = (names::plain(field_ident) != *name).then(|| quote!(#[serde(rename = #name)]));
            let default = rust.optional.then(|| quote!(#[serde(default)]));
            members.push(quote!(#[doc = #doc] #rename #default pub #field_ident: #ty));
            entries.push(field(name, &field_kind(ty)));
            eq &= rust.eq;
        }
        let eq = eq.then(|| quote!(, Eq));
        let structure = quote! {
            #[doc = #doc]
            #[derive(
                Debug, Clone, Default, PartialEq #eq,
                ::formicary::__private::serde::Serialize, ::formicary::__private::serde::Deserialize
            )]
            #[serde(crate = "::formicary::__private::serde")]
            pub struct #ident { #(#members,)* }
        };
        (structure, entries)
    }
}
