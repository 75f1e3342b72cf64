//! The syntax of options.

use proc_macro2::{Group, Ident, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Lit, Token, Type};

/// One of the things that commas part.
pub(super) enum Item {
    /// `name = value`; no value for a lone `name`.
    Named {
        name: Ident,
        value: Option<Value>,
    },
    Literal(Lit),
    Path(Type),
}

/// What stands behind the name.
pub(super) enum Value {
    Literal(Lit),
    Type(Type),
    /// Any other expression, such as a layer.
    Other(Expr),
    /// `name(..)`: options of its own.
    Brackets(Group),
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if ahead.parse::<Type>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,])) {
            return input.parse().map(Value::Type);
        }
        Ok(match ungrouped(input.parse()?) {
            Expr::Lit(literal) => Value::Literal(literal.lit),
            other => Value::Other(other),
        })
    }
}

/// The expression without the invisible brackets that a `macro_rules!` puts around what it was given.
fn ungrouped(mut expression: Expr) -> Expr {
    while let Expr::Group(group) = expression {
        expression = *group.expr;
    }
    expression
}

impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Value::Literal(literal) => literal.to_tokens(tokens),
            Value::Type(ty) => ty.to_tokens(tokens),
            Value::Other(other) => other.to_tokens(tokens),
            Value::Brackets(group) => group.to_tokens(tokens),
        }
    }
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            return input.parse().map(Item::Literal);
        }
        if input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            return Ok(Item::Named { name, value: Some(input.parse()?) });
        }
        if input.peek(syn::Ident) && input.peek2(syn::token::Paren) {
            return Ok(Item::Named { name: input.parse()?, value: Some(Value::Brackets(input.parse()?)) });
        }
        let path: Type = input.parse()?;
        Ok(match word(&path) {
            Some(name) => Item::Named { name, value: None },
            None => Item::Path(path),
        })
    }
}

/// A lone lower-case word, which is no type.
fn word(path: &Type) -> Option<Ident> {
    let Type::Path(path) = path else { return None };
    let ident = path.path.get_ident()?;
    ident.to_string().starts_with(char::is_lowercase).then(|| ident.clone())
}
