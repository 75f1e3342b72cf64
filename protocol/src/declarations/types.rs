//! The types that arguments and answers can have.

use std::fmt;

use serde_json::{Number, Value};

/// A type's name in the declarations.
///
/// The first six are the words of Python `microagent`; the others say more about a number, and belong into
/// `types`, `answer` and `message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TypeName {
    /// Text.
    String,
    /// An integer or a float, never a boolean.
    Number,
    /// A map.
    Object,
    /// A list.
    Array,
    /// `true` or `false`; `bool` is understood too.
    Boolean,
    /// An unsigned integer of 8 bits.
    U8,
    /// An unsigned integer of 16 bits.
    U16,
    /// An unsigned integer of 32 bits.
    U32,
    /// An unsigned integer of 64 bits.
    U64,
    /// A signed integer of 8 bits.
    I8,
    /// A signed integer of 16 bits.
    I16,
    /// A signed integer of 32 bits.
    I32,
    /// A signed integer of 64 bits.
    I64,
    /// A number read as a float of 32 bits.
    F32,
    /// A number read as a float of 64 bits.
    F64,
    /// `null`.
    Null,
}

impl TypeName {
    /// All names, in the order in which errors list them.
    pub const ALL: [Self; 16] = [
        Self::String,
        Self::Number,
        Self::Object,
        Self::Array,
        Self::Boolean,
        Self::Null,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F32,
        Self::F64,
    ];

    /// How many of [`ALL`](Self::ALL) Python knows.
    pub(crate) const PLAIN: usize = 6;

    /// The word in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Object => "object",
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// The type of this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "bool" => Some(Self::Boolean),
            name => Self::ALL.into_iter().find(|known| known.as_str() == name),
        }
    }

    /// The JSON type to which it belongs: `number` for `u64`.
    #[must_use]
    pub const fn plain(self) -> Self {
        match self.integer() {
            Some(_) => Self::Number,
            None => match self {
                Self::F32 | Self::F64 => Self::Number,
                plain => plain,
            },
        }
    }

    /// Whether it is negative and how many bits it has, for integers.
    #[must_use]
    pub const fn integer(self) -> Option<(bool, u8)> {
        match self {
            Self::U8 => Some((false, 8)),
            Self::U16 => Some((false, 16)),
            Self::U32 => Some((false, 32)),
            Self::U64 => Some((false, 64)),
            Self::I8 => Some((true, 8)),
            Self::I16 => Some((true, 16)),
            Self::I32 => Some((true, 32)),
            Self::I64 => Some((true, 64)),
            _ => None,
        }
    }

    /// Whether a value is of this type.
    #[must_use]
    pub fn accepts(self, value: &Value) -> bool {
        match (self.plain(), value) {
            (Self::Number, Value::Number(number)) => match self.integer() {
                Some((signed, bits)) => fits(number, signed, bits),
                None => true,
            },
            (Self::String, Value::String(_))
            | (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Null, Value::Null) => true,
            _ => false,
        }
    }
}

fn fits(number: &Number, signed: bool, bits: u8) -> bool {
    let value = match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => i128::from(value),
        (None, Some(value)) => i128::from(value),
        (None, None) => return false,
    };
    if signed {
        let end = 1_i128 << (bits - 1);
        (-end..end).contains(&value)
    } else {
        (0..1_i128 << bits).contains(&value)
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an argument can be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Types {
    /// Anything: the document names the argument only.
    Any,
    /// One of these, each once, sorted, `null` last; never empty when it comes from a document.
    OneOf(Vec<TypeName>),
}

impl Types {
    /// One of these; their order and repetitions do not matter.
    #[must_use]
    pub fn one_of(names: &[TypeName]) -> Self {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        Self::OneOf(names)
    }

    /// Whether a value is one of these.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(names) => names.iter().any(|name| name.accepts(value)),
        }
    }

    /// Whether `null` is one of these.
    #[must_use]
    pub fn nullable(&self) -> bool {
        self.accepts(&Value::Null)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any value"),
            Self::OneOf(names) => {
                let words: Vec<_> = names.iter().map(|name| name.as_str()).collect();
                f.write_str(&words.join(" or "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_not_booleans() {
        assert!(TypeName::Number.accepts(&json!(1)));
        assert!(TypeName::Number.accepts(&json!(1.5)));
        assert!(!TypeName::Number.accepts(&json!(true)));
        assert!(!TypeName::Boolean.accepts(&json!(1)));
    }

    #[test]
    fn integers_have_their_width() {
        let cases = [
            (TypeName::U8, json!(255), json!(256)),
            (TypeName::U16, json!(65_535), json!(-1)),
            (TypeName::U32, json!(u32::MAX), json!(u64::from(u32::MAX) + 1)),
            (TypeName::U64, json!(u64::MAX), json!(-1)),
            (TypeName::I8, json!(-128), json!(128)),
            (TypeName::I16, json!(-32_768), json!(-32_769)),
            (TypeName::I32, json!(i32::MAX), json!(i64::from(i32::MAX) + 1)),
            (TypeName::I64, json!(i64::MIN), json!(u64::MAX)),
        ];
        for (name, inside, outside) in cases {
            assert!(name.accepts(&inside), "{name} refused {inside}");
            assert!(!name.accepts(&outside), "{name} took {outside}");
            assert!(!name.accepts(&json!(1.0)), "{name} took a float");
        }
    }

    #[test]
    fn every_name_is_read_back() {
        for name in TypeName::ALL {
            assert_eq!(TypeName::from_name(name.as_str()), Some(name));
        }
        assert_eq!(TypeName::from_name("bool"), Some(TypeName::Boolean));
        assert_eq!(TypeName::from_name("numbr"), None);
    }

    #[test]
    fn null_comes_last_whatever_the_order() {
        let types = Types::one_of(&[TypeName::Null, TypeName::Number, TypeName::Null]);
        assert_eq!(types.to_string(), "number or null");
        assert!(types.nullable());
    }
}
