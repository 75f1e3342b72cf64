//! Any JSON number.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Any JSON number: what the declaration's `number` is in Rust.
///
/// Integers are exact from `i64::MIN` to `u64::MAX`; everything else is an `f64`, and never `NaN` or infinite.
/// Comparison is by value, so that `1` equals `1.0`. Booleans and strings are refused, as Python's are not
/// numbers either.
///
/// ```
/// use formicary_protocol::Number;
///
/// let number = Number::from(u64::MAX);
/// assert_eq!(number.as_u64(), Some(u64::MAX));
/// assert_eq!(Number::from_f64(1.0), Some(Number::from(1)));
/// assert_eq!(Number::from_f64(f64::NAN), None);
/// ```
#[derive(Clone, Copy)]
pub struct Number(Repr);

#[derive(Clone, Copy)]
enum Repr {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// Two to the power of 64: the first float above every `u64`.
const ABOVE_U64: f64 = 18_446_744_073_709_551_616.0;
/// `i64::MIN`, the lowest integer held exactly.
const LOWEST: f64 = -9_223_372_036_854_775_808.0;

impl Number {
    /// A number from a float, unless it is `NaN` or infinite.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(Repr::Float(value)))
    }

    /// The number as an unsigned integer, if it is one of 64 bits. `3.0` is three.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.integer().and_then(|integer| u64::try_from(integer).ok())
    }

    /// The number as a signed integer, if it is one of 64 bits. `-3.0` is minus three.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.integer().and_then(|integer| i64::try_from(integer).ok())
    }

    /// The nearest float.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self.0 {
            Repr::Unsigned(value) => value as f64,
            Repr::Signed(value) => value as f64,
            Repr::Float(value) => value,
        }
    }

    fn integer(&self) -> Option<i128> {
        match self.0 {
            Repr::Unsigned(value) => Some(value.into()),
            Repr::Signed(value) => Some(value.into()),
            Repr::Float(value) if value.fract() == 0.0 && (LOWEST..ABOVE_U64).contains(&value) => Some(value as i128),
            Repr::Float(_) => None,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.integer(), other.integer()) {
            (Some(left), Some(right)) => left.cmp(&right),
            (Some(left), None) => compare(left, other.as_f64()),
            (None, Some(right)) => compare(right, self.as_f64()).reverse(),
            (None, None) => self.as_f64().total_cmp(&other.as_f64()),
        }
    }
}

/// The float is no integer of 64 bits: it has a fraction, so that rounding the integer cannot pass it, or it lies
/// outside, where only two to the power of 64 can look equal.
fn compare(integer: i128, float: f64) -> Ordering {
    (integer as f64).total_cmp(&float).then(Ordering::Less)
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.integer() {
            Some(integer) => integer.hash(state),
            None => self.as_f64().to_bits().hash(state),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Unsigned(value) => value.fmt(f),
            Repr::Signed(value) => value.fmt(f),
            Repr::Float(value) => fmt::Debug::fmt(&value, f),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for Number {
    fn default() -> Self {
        Self(Repr::Unsigned(0))
    }
}

macro_rules! from_integers {
    ($($variant:ident($wide:ty): $($type:ty),*;)*) => {
        $($(impl From<$type> for Number {
            fn from(value: $type) -> Self {
                Self(Repr::$variant(<$wide>::from(value)))
            }
        })*)*
    };
}

from_integers! {
    Unsigned(u64): u8, u16, u32, u64;
    Signed(i64): i8, i16, i32, i64;
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number.0 {
            Repr::Unsigned(value) => value.into(),
            Repr::Signed(value) => value.into(),
            Repr::Float(value) => value.into(),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Repr::Unsigned(value) => serializer.serialize_u64(value),
            Repr::Signed(value) => serializer.serialize_i64(value),
            Repr::Float(value) => serializer.serialize_f64(value),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        Number::from_f64(value).ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &"a finite number"))
    }
}
