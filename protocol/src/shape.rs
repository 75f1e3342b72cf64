//! Which JSON shape a Rust type asks for.

use std::fmt;

use serde::de::{self, Deserialize, Visitor};
use serde::forward_to_deserialize_any;

/// What the outermost layer of a type reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A struct with these named fields: an object. Serde would take an array too, by position.
    Struct(&'static [&'static str]),
    /// A struct without fields, as in `struct Started;`: serde wants `null`, the wire has `{}`.
    UnitStruct,
    /// Anything else.
    Other,
}

/// Asks a type by letting it read from a source that only notes which method it calls.
pub(crate) fn shape_of<T: for<'de> Deserialize<'de>>() -> Shape {
    match T::deserialize(Probe) {
        Err(Asked(shape)) => shape,
        Ok(_) => Shape::Other,
    }
}

struct Probe;

#[derive(Debug)]
struct Asked(Shape);

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asked for {:?}", self.0)
    }
}

impl std::error::Error for Asked {}

impl de::Error for Asked {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Shape::Other)
    }
}

impl<'de> de::Deserializer<'de> for Probe {
    type Error = Asked;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Asked> {
        Err(Asked(Shape::Other))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Asked> {
        Err(Asked(Shape::Struct(fields)))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Asked> {
        Err(Asked(Shape::UnitStruct))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Asked> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Named {
        _a: u8,
    }

    #[derive(serde::Deserialize)]
    struct Unit;

    #[derive(serde::Deserialize)]
    struct Wrapped(Named);

    #[test]
    fn shapes() {
        assert_eq!(shape_of::<Named>(), Shape::Struct(&["_a"]));
        assert_eq!(shape_of::<Wrapped>(), Shape::Struct(&["_a"]));
        assert_eq!(shape_of::<Unit>(), Shape::UnitStruct);
        assert_eq!(shape_of::<Vec<Named>>(), Shape::Other);
        assert_eq!(shape_of::<serde_json::Value>(), Shape::Other);
        let _ = |wrapped: Wrapped| wrapped.0._a;
    }
}
