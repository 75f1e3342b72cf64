//! What `#[serde(..)]` says, as far as names and types on the wire are concerned.

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Token};

use super::rename::Rule;
use crate::problems::Problems;

/// The attributes of a struct.
#[derive(Default)]
pub(super) struct Container {
    pub(super) rename_all: Option<Rule>,
    /// Whether something else travels in its place.
    pub(super) replaced: bool,
}

/// The attributes of a field.
#[derive(Default)]
pub(super) struct Field {
    pub(super) rename: Option<String>,
    pub(super) skip: bool,
    pub(super) flatten: bool,
    /// Whether functions of the user's make another type of it.
    pub(super) converted: bool,
}

pub(super) fn container(attributes: &[Attribute], problems: &mut Problems) -> Container {
    let mut found = Container::default();
    each(attributes, problems, |meta| {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "rename_all" => {
                if let Some(text) = both_ways(&meta)? {
                    let rule = Rule::named(&text.value());
                    found.rename_all =
                        Some(rule.ok_or_else(|| syn::Error::new(text.span(), "serde has no such rule"))?);
                }
                return Ok(());
            }
            "transparent" | "from" | "try_from" | "into" | "remote" => found.replaced = true,
            _ => {}
        }
        skip_value(&meta)
    });
    found
}

pub(super) fn field(attributes: &[Attribute], problems: &mut Problems) -> Field {
    let mut found = Field::default();
    each(attributes, problems, |meta| {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "rename" => {
                found.rename = both_ways(&meta)?.map(|text| text.value());
                return Ok(());
            }
            "skip" => found.skip = true,
            "flatten" => found.flatten = true,
            "with" | "serialize_with" | "deserialize_with" => found.converted = true,
            _ => {}
        }
        skip_value(&meta)
    });
    found
}

fn each(
    attributes: &[Attribute],
    problems: &mut Problems,
    mut take: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        problems.keep(attribute.parse_nested_meta(&mut take));
    }
}

/// `= "x"`, or `(serialize = "x", deserialize = "x")`.
fn both_ways(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<LitStr>> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse().map(Some);
    }
    let mut ways: Vec<LitStr> = Vec::new();
    meta.parse_nested_meta(|way| {
        ways.push(way.value()?.parse()?);
        Ok(())
    })?;
    match &ways[..] {
        [first, second] if first.value() == second.value() => Ok(ways.pop()),
        _ => {
            Err(meta
                .error("a signal or message has one name for a field, the same in both directions: write `= \"..\"`"))
        }
    }
}

/// Reads over the value of an attribute that does not matter here.
fn skip_value(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        content.parse::<TokenStream>()?;
    }
    Ok(())
}
