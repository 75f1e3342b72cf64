//! What a Rust struct says about its fields.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::Number;

/// One field of a message type, as it stands in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key in the JSON object.
    pub name: &'static str,
    /// What its Rust type can hold.
    pub kind: FieldKind,
}

impl Field {
    /// A field of the type `T`.
    ///
    /// ```
    /// use formicary_protocol::{Field, FieldKind};
    ///
    /// let field = Field::of::<u64>("user_id");
    /// assert_eq!(field.kind, FieldKind::Integer { signed: false, bits: 64 });
    /// ```
    #[must_use]
    pub fn of<T: FieldType>(name: &'static str) -> Self {
        Self { name, kind: T::kind() }
    }
}

/// What a Rust type can hold, as far as JSON is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldKind {
    /// Anything, or a type of which nothing is known.
    Any,
    /// `bool`.
    Bool,
    /// An integer of a certain width.
    Integer {
        /// Whether it can be negative.
        signed: bool,
        /// Its width in bits.
        bits: u8,
    },
    /// `f32` or `f64`.
    Float,
    /// [`Number`]: any number.
    Number,
    /// Text.
    String,
    /// A list.
    Array,
    /// A map.
    Object,
    /// `()`, which is `null`.
    Null,
    /// `Option` of another kind: `null` too.
    Optional(Box<FieldKind>),
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("arbitrary value"),
            Self::Bool => f.write_str("bool"),
            Self::Integer { signed: true, bits } => write!(f, "i{bits}"),
            Self::Integer { signed: false, bits } => write!(f, "u{bits}"),
            Self::Float => f.write_str("f64"),
            Self::Number => f.write_str("Number"),
            Self::String => f.write_str("String"),
            Self::Array => f.write_str("list"),
            Self::Object => f.write_str("map"),
            Self::Null => f.write_str("()"),
            Self::Optional(inner) => write!(f, "Option<{inner}>"),
        }
    }
}

/// A type whose kind is known.
///
/// Implement it for your own scalar types to have them held against the declarations. A type without it is taken as
/// [`FieldKind::Any`].
pub trait FieldType {
    /// The kind of this type.
    fn kind() -> FieldKind;
}

macro_rules! kinds {
    ($($type:ty => $kind:expr),* $(,)?) => {
        $(impl FieldType for $type {
            fn kind() -> FieldKind {
                $kind
            }
        })*
    };
}

kinds! {
    bool => FieldKind::Bool,
    u8 => FieldKind::Integer { signed: false, bits: 8 },
    u16 => FieldKind::Integer { signed: false, bits: 16 },
    u32 => FieldKind::Integer { signed: false, bits: 32 },
    u64 => FieldKind::Integer { signed: false, bits: 64 },
    i8 => FieldKind::Integer { signed: true, bits: 8 },
    i16 => FieldKind::Integer { signed: true, bits: 16 },
    i32 => FieldKind::Integer { signed: true, bits: 32 },
    i64 => FieldKind::Integer { signed: true, bits: 64 },
    usize => FieldKind::Integer { signed: false, bits: 64 },
    isize => FieldKind::Integer { signed: true, bits: 64 },
    f32 => FieldKind::Float,
    f64 => FieldKind::Float,
    Number => FieldKind::Number,
    String => FieldKind::String,
    Box<str> => FieldKind::String,
    Arc<str> => FieldKind::String,
    char => FieldKind::String,
    Value => FieldKind::Any,
    Map<String, Value> => FieldKind::Object,
    () => FieldKind::Null,
}

impl<T: FieldType> FieldType for Option<T> {
    fn kind() -> FieldKind {
        match T::kind() {
            FieldKind::Any => FieldKind::Any,
            nested @ FieldKind::Optional(_) => nested,
            kind => FieldKind::Optional(Box::new(kind)),
        }
    }
}

impl<T: FieldType> FieldType for Box<T> {
    fn kind() -> FieldKind {
        T::kind()
    }
}

macro_rules! containers {
    ($($kind:ident: $($type:ty where [$($parameter:ident),*]),*;)*) => {
        $($(impl<$($parameter),*> FieldType for $type {
            fn kind() -> FieldKind {
                FieldKind::$kind
            }
        })*)*
    };
}

containers! {
    Array: Vec<T> where [T], VecDeque<T> where [T], BTreeSet<T> where [T], HashSet<T, S> where [T, S];
    Object: BTreeMap<K, V> where [K, V], HashMap<K, V, S> where [K, V, S];
}
