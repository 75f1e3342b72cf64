//! Bodies of answers: one entry for each handler that was asked.
//!
//! An answer is a JSON object from `<Agent>.<method>` to what the method returned. Of a failed handler the
//! usual answer holds `null`, and a body of failures, sent just before on its own channel, says why.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{CheckMode, Error, decode, encode};

/// Why a handler did not answer, as told by the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFailure {
    /// A short word for the kind, such as `timeout`, `panic` or the name of an error type.
    #[serde(default)]
    pub kind: String,
    /// The other side's own message.
    #[serde(default)]
    pub message: String,
}

impl fmt::Display for RemoteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// Encodes what handlers answered, in their order.
///
/// ```
/// use formicary_protocol::{Value, decode_answers, encode_answers};
///
/// let body = encode_answers([("CommentAgent.count", &Value::from(42))])?;
/// assert_eq!(&body[..], br#"{"CommentAgent.count":42}"#);
/// assert_eq!(decode_answers(&body)?, [("CommentAgent.count".to_owned(), Value::from(42))]);
/// # Ok::<(), formicary_protocol::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Encode`], which JSON values cannot cause.
pub fn encode_answers<'a, I>(answers: I) -> Result<Bytes, Error>
where
    I: IntoIterator<Item = (&'a str, &'a Value), IntoIter: Clone>,
{
    encode(&Ordered(answers.into_iter()))
}

/// Reads the body of an answer; the order of the entries stays.
///
/// # Errors
///
/// [`Error::Decode`] when the body is not a JSON object. A bare `NaN` or `Infinity` is read as `null`.
pub fn decode_answers(body: &[u8]) -> Result<Vec<(String, Value)>, Error> {
    decode_ordered(body)
}

/// Encodes why handlers failed, in their order.
///
/// # Errors
///
/// [`Error::Encode`], which strings cannot cause.
pub fn encode_failures<'a, I>(failures: I) -> Result<Bytes, Error>
where
    I: IntoIterator<Item = (&'a str, &'a RemoteFailure), IntoIter: Clone>,
{
    encode(&Ordered(failures.into_iter()))
}

/// Reads why handlers failed; the order of the entries stays.
///
/// # Errors
///
/// [`Error::Decode`] when the body is not a JSON object of objects.
pub fn decode_failures(body: &[u8]) -> Result<Vec<(String, RemoteFailure)>, Error> {
    decode_ordered(body)
}

fn decode_ordered<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<(String, T)>, Error> {
    decode::<Entries<T>>(body, CheckMode::Off).map(|decoded| decoded.value.0)
}

struct Ordered<I>(I);

impl<'a, T: Serialize + 'a, I: Iterator<Item = (&'a str, &'a T)> + Clone> Serialize for Ordered<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

/// A map read as a list, since `serde_json`'s own map sorts its keys.
struct Entries<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one entry for each handler")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_handlers_stays() {
        let body = br#"{"Z.z": 1, "A.a": NaN, "M.m": {"x": [1]}}"#;
        let names: Vec<_> = decode_answers(body).expect("answers").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Z.z", "A.a", "M.m"]);
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in [&b""[..], b"[]", b"null", b"1", b"{\"a\"", b"\xff"] {
            assert!(decode_answers(body).is_err());
        }
        assert!(decode_failures(br#"{"A.a": 1}"#).is_err());
    }

    #[test]
    fn failures_there_and_back() {
        let failures = vec![("A.a".to_owned(), RemoteFailure { kind: "timeout".into(), message: "after 60 s".into() })];
        let body = encode_failures(failures.iter().map(|(name, failure)| (&**name, failure))).expect("encoded");
        assert_eq!(&body[..], br#"{"A.a":{"kind":"timeout","message":"after 60 s"}}"#);
        assert_eq!(decode_failures(&body), Ok(failures));
    }
}
