//! The fields of a struct as they stand in JSON.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::FieldsNamed;

use super::attributes;
use super::rename::Rule;
use crate::field_kind::{field, field_kind};
use crate::names;
use crate::problems::Problems;

/// The entries of `fields()`.
pub(super) fn entries(fields: &FieldsNamed, rule: Option<Rule>, problems: &mut Problems) -> Vec<TokenStream> {
    let mut entries = Vec::new();
    for member in &fields.named {
        let Some(ident) = &member.ident else { continue };
        let said = attributes::field(&member.attrs, problems);
        if said.skip {
            continue;
        }
        if said.flatten {
            problems.at(ident, "`flatten` hides fields from the declarations: write them here");
            continue;
        }
        let plain = names::plain(ident);
        let name = said.rename.unwrap_or_else(|| rule.map_or(plain.clone(), |rule| rule.field(&plain)));
        let kind = if said.converted {
            quote!(::formicary::__private::FieldKind::Any)
        } else {
            field_kind(&member.ty.to_token_stream())
        };
        entries.push(field(&name, &kind));
    }
    entries
}
