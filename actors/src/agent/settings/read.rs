//! A reader of settings that knows where it is, and which keys nobody took.

use std::cell::RefCell;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::key::Key;
use super::path::Path;
use super::refusal::{Refusal, unknown};

/// Decodes, and refuses keys that nobody took.
pub(super) fn read<T: DeserializeOwned>(settings: &Value) -> Result<T, Vec<String>> {
    let problems = RefCell::default();
    let reader = Reader { value: settings, path: Path::Root, known: None, problems: &problems };
    let decoded = T::deserialize(reader).map_err(|refusal| refusal.at(&Path::Root, settings));
    let unknown = problems.into_inner();
    match decoded {
        Ok(decoded) if unknown.is_empty() => Ok(decoded),
        Ok(_) => Err(unknown),
        Err(refusal) => Err(std::iter::once(refusal.into_problem()).chain(unknown).collect()),
    }
}

/// One value, with its place.
#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    value: &'de Value,
    path: Path<'p>,
    /// The keys of the struct that this value was given to.
    known: Option<&'static [&'static str]>,
    problems: &'p RefCell<Vec<String>>,
}

impl<'de> Reader<'de, '_> {
    fn entries<'r>(&'r self, entries: &'de Map<String, Value>, known: Known) -> Entries<'de, 'r> {
        Entries { entries: entries.iter(), next: None, of: self, known }
    }

    /// Reads with `seed`; what goes wrong in here, or in what the user's type makes of it, has this place.
    fn give<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        seed.deserialize(self).map_err(|refusal| refusal.at(&self.path, self.value))
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (.., value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                let all = Error::invalid_length(items.len(), &"fewer");
                let mut items = Items { items: items.iter().enumerate(), of: &self };
                let taken = visitor.visit_seq(&mut items)?;
                if items.items.len() == 0 { Ok(taken) } else { Err(all) }
            }
            Value::Object(entries) => visitor.visit_map(self.entries(entries, None)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Object(entries) => visitor.visit_map(self.entries(entries, Some(fields))),
            // Never by position.
            Value::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.value {
            Value::String(word) => visitor.visit_enum(StrDeserializer::new(word)),
            Value::Object(entries) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(self.entries(entries, None)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// Where a struct skips the value of a key that it does not have.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if let (Some(known), Path::Key(_, key)) = (self.known, self.path)
            && !known.contains(&key)
        {
            self.problems.borrow_mut().push(unknown(&self.path, key, known));
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

type Known = Option<&'static [&'static str]>;

struct Entries<'de, 'r> {
    entries: serde_json::map::Iter<'de>,
    next: Option<(&'de str, &'de Value)>,
    of: &'r Reader<'de, 'r>,
    known: Known,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        self.next = self.entries.next().map(|(key, value)| (key.as_str(), value));
        self.next.map(|(key, _)| seed.deserialize(Key(key))).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let (key, value) = self.next.take().ok_or_else(|| Refusal::custom("a value was taken before its key"))?;
        let path = Path::Key(&self.of.path, key);
        Reader { value, path, known: self.known, problems: self.of.problems }.give(seed)
    }
}

struct Items<'de, 'r> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    of: &'r Reader<'de, 'r>,
}

impl<'de> SeqAccess<'de> for &mut Items<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some((at, value)) = self.items.next() else { return Ok(None) };
        let path = Path::Index(&self.of.path, at);
        Reader { value, path, known: None, problems: self.of.problems }.give(seed).map(Some)
    }
}
