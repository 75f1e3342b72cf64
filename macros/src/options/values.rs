//! What `name = value` and `name(..)` hold.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, Type};

use super::Options;
use super::item::{Item, Value};
use crate::problems::Problems;

/// What a part of a whole is.
const PART: &str = "a number from 0 to 1, such as 0.5";

impl Options {
    /// Every `name = value`, in their order and whatever they are.
    pub(crate) fn values(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Vec<TokenStream> {
        let count = self.names().filter(|other| *other == name).count();
        (0..count).filter_map(|_| self.expression(name, cure, problems)).collect()
    }

    /// `name = value`, whatever the value is.
    pub(crate) fn expression(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<TokenStream> {
        self.value(name, cure, problems).map(ToTokens::into_token_stream)
    }

    /// Whether there is a `name(..)`.
    pub(crate) fn has_brackets(&self, name: &str) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, Item::Named { name: other, value: Some(Value::Brackets(_)) } if other == name))
    }

    /// `name(..)`: options of its own.
    pub(crate) fn brackets(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<Options> {
        let index = self.named(name)?;
        match self.items.remove(index) {
            Item::Named { name, value: Some(Value::Brackets(group)) } => {
                Some(Options::read(format!("{name}(..)"), name.span(), group.stream(), problems))
            }
            Item::Named { name, .. } => {
                problems.at(&name, format!("`{name}` takes {cure}"));
                None
            }
            _ => None,
        }
    }

    fn value(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<Value> {
        let index = self.named(name)?;
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

    /// `name = "text"` or `name = ["text", "text"]`, none of them empty.
    pub(crate) fn strings(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Vec<String> {
        let Some(value) = self.value(name, cure, problems) else { return Vec::new() };
        let texts = match &value {
            Value::Literal(Lit::Str(text)) => Some(vec![text.value()]),
            Value::Other(Expr::Array(list)) => list.elems.iter().map(text).collect(),
            _ => None,
        };
        let texts = texts.filter(|texts: &Vec<_>| !texts.is_empty() && texts.iter().all(|text| !text.is_empty()));
        if texts.is_none() {
            problems.at(&value, format!("`{name}` takes {cure}"));
        }
        texts.unwrap_or_default()
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

    /// `name = 0.5`, from 0 to 1.
    pub(crate) fn part(&mut self, name: &str, problems: &mut Problems) -> Option<f64> {
        let value = self.value(name, PART, problems)?;
        let part = match &value {
            Value::Literal(Lit::Float(number)) => number.base10_parse().ok(),
            Value::Literal(Lit::Int(number)) => number.base10_parse().ok(),
            _ => None,
        };
        let part = part.filter(|part| (0.0..=1.0).contains(part));
        if part.is_none() {
            problems.at(&value, format!("`{name}` takes {PART}"));
        }
        part
    }

    /// `name = true` or `name = false`.
    pub(crate) fn truth(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<bool> {
        match self.value(name, cure, problems)? {
            Value::Literal(Lit::Bool(truth)) => Some(truth.value),
            other => {
                problems.at(&other, format!("`{name}` takes {cure}"));
                None
            }
        }
    }

    /// `name = method`.
    pub(crate) fn method(&mut self, name: &str, cure: &str, problems: &mut Problems) -> Option<Ident> {
        let value = self.value(name, cure, problems)?;
        let method = match &value {
            Value::Type(Type::Path(path)) => path.path.get_ident().cloned(),
            _ => None,
        };
        if method.is_none() {
            problems.at(&value, format!("`{name}` takes {cure}"));
        }
        method
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
}

fn text(element: &Expr) -> Option<String> {
    match element {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
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
