//! From declared types to Rust types.

use formicary_protocol::{TypeName, Types};
use proc_macro2::TokenStream;
use quote::quote;

/// What Rust makes of a declared type.
pub(super) struct Rust {
    pub(super) ty: TokenStream,
    /// Whether the type is `Eq`.
    pub(super) eq: bool,
    /// Whether the argument may be left out.
    pub(super) optional: bool,
}

/// The Rust type of an argument.
pub(super) fn of(types: &Types) -> Rust {
    let value = |optional| Rust { ty: quote!(::formicary::Value), eq: true, optional };
    let Types::OneOf(names) = types else {
        return value(false);
    };
    let nullable = names.contains(&TypeName::Null);
    let others: Vec<TypeName> = names.iter().copied().filter(|name| *name != TypeName::Null).collect();
    match others[..] {
        [] => Rust { ty: quote!(()), eq: true, optional: true },
        [name] => {
            let (ty, eq) = of_name(name);
            let ty = if nullable { quote!(::core::option::Option<#ty>) } else { ty };
            Rust { ty, eq, optional: nullable }
        }
        _ => value(nullable),
    }
}

/// The Rust type of one declared type, and whether it is `Eq`.
pub(super) fn of_name(name: TypeName) -> (TokenStream, bool) {
    let ty = match name {
        TypeName::String => quote!(::std::string::String),
        TypeName::Number => quote!(::formicary::Number),
        TypeName::Boolean => quote!(bool),
        TypeName::Array => quote!(::std::vec::Vec<::formicary::Value>),
        TypeName::Object => {
            quote!(::formicary::__private::serde_json::Map<::std::string::String, ::formicary::Value>)
        }
        TypeName::Null => quote!(()),
        TypeName::U8 => quote!(u8),
        TypeName::U16 => quote!(u16),
        TypeName::U32 => quote!(u32),
        TypeName::U64 => quote!(u64),
        TypeName::I8 => quote!(i8),
        TypeName::I16 => quote!(i16),
        TypeName::I32 => quote!(i32),
        TypeName::I64 => quote!(i64),
        TypeName::F32 => return (quote!(f32), false),
        TypeName::F64 => return (quote!(f64), false),
        _ => quote!(::formicary::Value),
    };
    (ty, true)
}
