//! What stands between the brackets of an attribute.

mod item;

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Lit, Token, Type};

use item::{Item, Value};

use crate::problems::Problems;

/// The option that may stand more than once.
const REPEATED: &str = "layer";

/// The options of one attribute. Each is taken once; what is left at the end is a mistake.
pub(crate) struct Options {
    attribute: String,
    span: Span,
    items: Vec<Item>,
}

impl Options {
    /// Reads the tokens of `#[attribute(tokens)]`.
    pub(crate) fn parse(attribute: &str, span: Span, tokens: TokenStream, problems: &mut Problems) -> Self {
        let items = problems.keep(syn::parse::Parser::parse2(Punctuated::<Item, Token![,]>::parse_terminated, tokens));
        let mut options = Self { attribute: format!("#[{attribute}]"), span, items: Vec::new() };
        for item in items.into_iter().flatten() {
            match &item {
                Item::Named { name, .. } if name != REPEATED && options.named(name).is_some() => {
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

    fn named(&self, name: &Ident) -> Option<usize> {
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
        if let Some(index) = self.named(name) {
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
            problems.here(self.span, format!("{} needs {cure}", self.attribute));
            return None;
        };
        match self.items.remove(index) {
            Item::Literal(Lit::Str(text)) => Some((text.value(), text.span())),
            Item::Literal(other) => {
                problems.at(&other, format!("{} takes {cure}", self.attribute));
                None
            }
            _ => None,
        }
    }

    /// Takes a word that stands alone.
    pub(crate) fn flag(&mut self, flag: &str, problems: &mut Problems) -> Option<Ident> {
        let index = self.items.iter().position(|item| matches!(item, Item::Named { name, .. } if name == flag))?;
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

    /// Every `name = value`, in their order and whatever they are.
    pub(crate) fn values(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Vec<TokenStream> {
        let count = self.names().filter(|other| *other == name).count();
        (0..count).filter_map(|_| self.value(name, cure, problems)).map(ToTokens::into_token_stream).collect()
    }

    fn value(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<Value> {
        let index =
            self.items.iter().position(|item| matches!(item, Item::Named { name: other, .. } if other == name))?;
        match self.items.remove(index) {
            Item::Named { value: Some(value), .. } if !matches!(value, Value::Brackets(_)) => Some(value),
            Item::Named { name, .. } => {
                problems.at(&name, format!("`{name}` takes {cure}"));
                None
            }
            _ => None,
        }
    }

    /// `name = "text"`.
    pub(crate) fn string(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<(String, Span)> {
        let value = self.value(name, cure, problems)?;
        if let Value::Literal(Lit::Str(text)) = &value {
            return Some((text.value(), text.span()));
        }
        problems.at(&value, format!("`{name}` takes {cure}"));
        None
    }

    /// `name = "10s"`.
    pub(crate) fn duration(&mut self, name: &str, problems: &mut Problems) -> Option<Duration> {
        let (text, span) = self.string(name, "a duration in quotes, such as \"10s\"", problems)?;
        problems.keep(duration(&format!("`{name}`"), &text, span))
    }

    /// `name = 8`, one of the non-zero integers.
    pub(crate) fn count<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        cure: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        let value = self.value(name, cure, problems)?;
        let count = match &value {
            Value::Literal(Lit::Int(number)) => number.base10_parse().ok(),
            _ => None,
        };
        if count.is_none() {
            problems.at(&value, format!("`{name}` takes {cure}"));
        }
        count
    }

    /// `name = Type`.
    pub(crate) fn ty(&mut self, name: &str, problems: &mut Problems) -> Option<Type> {
        match self.value(name, "a type", problems)? {
            Value::Type(ty) => Some(ty),
            other => {
                problems.at(&other, format!("`{name}` takes a type, such as `u64`"));
                None
            }
        }
    }

    /// Notes what is left.
    pub(crate) fn finish(self, known: &str, problems: &mut Problems) {
        for item in self.items {
            let (span, what) = match item {
                Item::Named { name, .. } => (name.span(), format!("has no option `{name}`")),
                Item::Literal(literal) => (literal.span(), "has no place for this literal".to_owned()),
                Item::Path(path) => (path.span(), "has no place for a path".to_owned()),
            };
            problems.here(span, format!("{} {what}: it takes {known}", self.attribute));
        }
    }
}

/// A duration longer than zero.
pub(crate) fn duration(what: &str, text: &str, span: Span) -> syn::Result<Duration> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => {
            Err(syn::Error::new(span, format!("{what} must be longer than zero: write \"10s\", for example")))
        }
        Ok(duration) => Ok(duration),
        Err(_) => Err(syn::Error::new(
            span,
            format!("{what} is not a duration: write \"10s\", \"1m 30s\" or \"500ms\", for example"),
        )),
    }
}
