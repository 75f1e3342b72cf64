//! What can be told of a type from its tokens.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{GenericArgument, PathArguments, Type};

/// The type without the invisible brackets that a `macro_rules!` puts around what it was given.
pub(super) fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            other => return other,
        };
    }
}

/// The last name of a path: `Handle` of `formicary::Handle<Self>`.
pub(super) fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// `T` of `Item<T>`.
pub(super) fn item(ty: &Type) -> Option<&Type> {
    only_argument("Item", ty)
}

/// `T` of `Vec<Item<T>>`.
pub(super) fn batch(ty: &Type) -> Option<&Type> {
    only_argument("Vec", ty).and_then(item)
}

/// `T` of `path::name<T>`.
fn only_argument<'t>(name: &str, ty: &'t Type) -> Option<&'t Type> {
    let Type::Path(path) = bare(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(argument)) if arguments.args.len() == 1 => Some(bare(argument)),
            _ => None,
        },
        _ => None,
    }
}

/// The first and the last token of a type: a span over both cannot be made.
pub(super) fn ends(ty: &Type) -> (Span, Span) {
    let mut trees = ty.to_token_stream().into_iter();
    let first = trees.next().map_or_else(Span::call_site, |tree| tree.span());
    (first, trees.last().map_or(first, |tree| tree.span()))
}

/// Where a type borrows what does not live for ever, or leaves its name to the compiler.
pub(super) fn not_owned(ty: &Type) -> Option<Span> {
    find(ty.to_token_stream())
}

fn find(tokens: TokenStream) -> Option<Span> {
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match &tree {
            TokenTree::Ident(ident) if ident == "impl" => return Some(ident.span()),
            TokenTree::Punct(punct) if punct.as_char() == '&' && !starts_lifetime(trees.peek()) => {
                return Some(punct.span());
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' && !names_static(trees.peek()) => {
                return Some(punct.span());
            }
            TokenTree::Group(group) => {
                if let Some(span) = find(group.stream()) {
                    return Some(span);
                }
            }
            _ => {}
        }
    }
    None
}

fn starts_lifetime(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == '\'')
}

fn names_static(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Ident(name)) if name == "static")
}

/// The type with the agent's type for `Self`, for code that stands in another `impl`.
pub(super) fn without_self(ty: &impl ToTokens, agent: &Type) -> TokenStream {
    replace(ty.to_token_stream(), agent)
}

fn replace(tokens: TokenStream, agent: &Type) -> TokenStream {
    let mut trees = tokens.into_iter().peekable();
    let mut replaced = TokenStream::new();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Ident(ident) if ident == "Self" => {
                let projects = matches!(trees.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                let projected = || quote_spanned!(ident.span()=> <#agent>);
                replaced.extend(if projects { projected() } else { agent.to_token_stream() });
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), replace(group.stream(), agent));
                inner.set_span(group.span());
                replaced.extend([TokenTree::Group(inner)]);
            }
            tree => replaced.extend([tree]),
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn owned_types_are_told_from_others() {
        for ty in [parse_quote!(u64), parse_quote!(Push<queues::Mailer>), parse_quote!(&'static str)] {
            assert!(not_owned(&ty).is_none(), "{}", ty.to_token_stream());
        }
        for ty in [parse_quote!(&str), parse_quote!(Vec<(u8, &'a str)>), parse_quote!(impl Sized), parse_quote!(A<'_>)]
        {
            assert!(not_owned(&ty).is_some(), "{}", ty.to_token_stream());
        }
    }

    #[test]
    fn batches_are_told_from_lists() {
        for ty in [parse_quote!(Vec<Item<Mail>>), parse_quote!(std::vec::Vec<formicary::Item<Mail>>)] {
            let message = batch(&ty).map(|ty| ty.to_token_stream().to_string());
            assert_eq!(message.as_deref(), Some("Mail"), "{}", ty.to_token_stream());
        }
        for ty in [parse_quote!(Vec<Mail>), parse_quote!(Vec<queues::Item>), parse_quote!(Item<Mail>)] {
            assert!(batch(&ty).is_none(), "{}", ty.to_token_stream());
        }
    }

    #[test]
    fn self_is_replaced_at_any_depth() {
        let (ty, agent): (Type, Type) = (parse_quote!(Vec<(Self, Self::Inner)>), parse_quote!(Foo<T>));
        let wanted: Type = parse_quote!(Vec<(Foo<T>, <Foo<T>>::Inner)>);
        assert_eq!(without_self(&ty, &agent).to_string(), wanted.to_token_stream().to_string());
    }
}
