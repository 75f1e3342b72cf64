//! What stands between the brackets of an attribute.

mod item;
mod values;

use formicary_protocol::__private::nearest;
use proc_macro2::{Ident, Span, TokenStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Lit, Token, Type};

use item::Item;
pub(crate) use values::duration;

use crate::problems::Problems;

/// The option that may stand more than once.
const REPEATED: &str = "layer";

/// The options of one attribute, or of one option with brackets of its own. Each is taken once; what is left at the end is a mistake.
pub(crate) struct Options {
    /// Whose they are, as errors name it: `#[consumer]`.
    owner: String,
    span: Span,
    items: Vec<Item>,
}

impl Options {
    /// Reads the tokens of `#[attribute(tokens)]`.
    pub(crate) fn parse(attribute: &str, span: Span, tokens: TokenStream, problems: &mut Problems) -> Self {
        Self::read(format!("#[{attribute}]"), span, tokens, problems)
    }

    fn read(owner: String, span: Span, tokens: TokenStream, problems: &mut Problems) -> Self {
        let items = problems.keep(syn::parse::Parser::parse2(Punctuated::<Item, Token![,]>::parse_terminated, tokens));
        let mut options = Self { owner, span, items: Vec::new() };
        for item in items.into_iter().flatten() {
            match &item {
                Item::Named { name, .. } if name != REPEATED && options.named(&name.to_string()).is_some() => {
                    problems.at(name, format!("`{name}` is set twice: remove one"));
                }
                _ => options.items.push(item),
            }
        }
        options
    }

    /// Where the attribute stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.items.iter().position(|item| matches!(item, Item::Named { name: other, .. } if other == name))
    }

    /// The names of the options that are still there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Ident> {
        self.items.iter().filter_map(|item| match item {
            Item::Named { name, .. } => Some(name),
            _ => None,
        })
    }

    /// Takes an option away, whatever it holds.
    pub(crate) fn discard(&mut self, name: &Ident) {
        if let Some(index) = self.named(&name.to_string()) {
            self.items.remove(index);
        }
    }

    /// The words without a value, such as `pre_start`.
    pub(crate) fn words(&mut self) -> Vec<Ident> {
        let mut words = Vec::new();
        self.items.retain(|item| match item {
            Item::Named { name, value: None } => {
                words.push(name.clone());
                false
            }
            _ => true,
        });
        words
    }

    /// The paths.
    pub(crate) fn paths(&mut self) -> Vec<Type> {
        let mut paths = Vec::new();
        self.items.retain(|item| match item {
            Item::Path(path) => {
                paths.push(path.clone());
                false
            }
            _ => true,
        });
        paths
    }

    /// The first literal, which is to be a string.
    pub(crate) fn text(&mut self, cure: &str, problems: &mut Problems) -> Option<(String, Span)> {
        let Some(index) = self.items.iter().position(|item| matches!(item, Item::Literal(_))) else {
            problems.here(self.span, format!("{} needs {cure}", self.owner));
            return None;
        };
        match self.items.remove(index) {
            Item::Literal(Lit::Str(text)) => Some((text.value(), text.span())),
            Item::Literal(other) => {
                problems.at(&other, format!("{} takes {cure}", self.owner));
                None
            }
            _ => None,
        }
    }

    /// Takes a word that stands alone.
    pub(crate) fn flag(&mut self, flag: &str, problems: &mut Problems) -> Option<Ident> {
        let index = self.named(flag)?;
        match self.items.remove(index) {
            Item::Named { name, value } => {
                if let Some(value) = value {
                    problems.at(&value, format!("`{flag}` takes no value: write the word alone"));
                }
                Some(name)
            }
            _ => None,
        }
    }

    /// Notes what is left.
    pub(crate) fn finish(self, known: &str, problems: &mut Problems) {
        let words: Vec<_> = known.split(", ").collect();
        for item in self.items {
            let (span, what, near) = match item {
                Item::Named { name, .. } => {
                    (name.span(), format!("has no option `{name}`"), nearest(&name.to_string(), &words))
                }
                Item::Literal(literal) => (literal.span(), "has no place for this literal".to_owned(), None),
                Item::Path(path) => (path.span(), "has no place for a path".to_owned(), None),
            };
            let cure = near.map_or_else(|| format!("it takes {known}"), |near| format!("did you mean `{near}`?"));
            problems.here(span, format!("{} {what}: {cure}", self.owner));
        }
    }
}
