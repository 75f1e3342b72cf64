//! The encoding of bodies: JSON, and nowhere else.

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::cell::Cell;
use std::collections::BTreeMap;

use crate::plain::is_plain;
use crate::repair::repair;
use crate::shape::{Shape, shape_of};
use crate::text::{MAX_QUOTED, short_type_name, shorten};
use crate::{CheckMode, Error, Signal};

/// How many unknown arguments are named; more are counted in one last entry.
pub const MAX_UNKNOWN: usize = 16;
/// How many bytes of a path an error repeats.
const MAX_PATH: usize = 120;
/// How many bytes of a body [`excerpt`] shows.
pub const EXCERPT: usize = 64;

/// A body that was read, and what was odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded<T> {
    /// The value.
    pub value: T,
    /// The body held a bare `NaN` or `Infinity`, read as `null`.
    pub repaired: bool,
    /// Paths of arguments that the type does not have: the first [`MAX_UNKNOWN`], then one entry that counts
    /// the rest. Always empty in mode `off`.
    pub unknown: Vec<String>,
}

/// Encodes a message, an answer or any other value.
///
/// # Errors
///
/// [`Error::Encode`] when JSON cannot hold the value, such as a map whose keys are not strings, or when it is nested deeper
/// than [`MAX_DEPTH`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Error> {
    let refuse = |problem: String| Error::Encode { subject: short_type_name::<T>(), problem };
    // Taken and not borrowed: a value may encode another one while it is encoded.
    let mut body = SCRATCH.take();
    body.clear();
    let written = serde_json::to_writer(&mut body, value);
    let encoded = match written {
        Err(error) => Err(refuse(shorten(&error.to_string(), MAX_QUOTED))),
        Ok(()) if is_too_deep(&body) => {
            Err(refuse(format!("it is nested deeper than {MAX_DEPTH} levels, which no reader takes")))
        }
        Ok(()) => Ok(Bytes::copy_from_slice(&body)),
    };
    if body.capacity() <= MAX_SCRATCH {
        SCRATCH.set(body);
    }
    encoded
}

/// A larger body gives its memory back.
const MAX_SCRATCH: usize = 64 * 1024;

thread_local! {
    /// Where bodies are written, so that each costs one allocation of its own length.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How deep a body may be nested. Our readers take no more, and a listener of Python's dies of much more.
pub const MAX_DEPTH: usize = 127;

fn is_too_deep(body: &[u8]) -> bool {
    // Hardly any body has so many brackets at all.
    body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > MAX_DEPTH && is_nested_too_deep(body)
}

fn is_nested_too_deep(body: &[u8]) -> bool {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next()
                    && *byte != b'"'
                {
                    if *byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    deepest > MAX_DEPTH
}

/// Encodes the payload of a signal, which is always an object: `struct Started;` becomes `{}`.
///
/// # Errors
///
/// [`Error::Encode`] when JSON cannot hold the value, or when it is not an object there.
pub fn encode_signal<S: Signal>(signal: &S) -> Result<Bytes, Error> {
    let body = encode(signal)?;
    match body.first() {
        Some(b'{') => Ok(body),
        _ if shape_of::<S>() == Shape::UnitStruct => Ok(Bytes::from_static(b"{}")),
        _ => Err(Error::Encode {
            subject: short_type_name::<S>(),
            problem: format!(
                "a signal's payload is a JSON object, and this is {}: make it a struct with named fields",
                excerpt(&body)
            ),
        }),
    }
}

/// Reads a body.
///
/// A body that fails only on a bare `NaN` or `Infinity`, which Python writes, is read again with `null` there.
/// A struct takes objects only, never an array by position, and a struct without fields takes `{}`.
///
/// The mode governs arguments that the type does not have: `off` does not look, `warn` lists them in
/// [`Decoded::unknown`], `reject` refuses them.
///
/// ```
/// use formicary_protocol::{CheckMode, decode};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct UserCreated {
///     user_id: u64,
/// }
///
/// let decoded = decode::<UserCreated>(br#"{"user_id": 1, "extra": true}"#, CheckMode::Warn)?;
/// assert_eq!(decoded.value.user_id, 1);
/// assert_eq!(decoded.unknown, ["extra"]);
///
/// let error = decode::<UserCreated>(br#"{"user_id": "one"}"#, CheckMode::Warn).err().map(|e| e.to_string());
/// assert!(error.is_some_and(|text| text.starts_with("cannot decode UserCreated: user_id: invalid type")));
/// # Ok::<(), formicary_protocol::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Decode`] with the path of the offending value; [`Error::UnknownArguments`] in mode `reject`.
pub fn decode<T: DeserializeOwned>(body: &[u8], mode: CheckMode) -> Result<Decoded<T>, Error> {
    let shape = shape_of::<T>();
    // Most bodies: nothing in them is skipped, so nothing has to be noted.
    if let Shape::Struct(fields) = shape
        && is_plain(body, fields)
        && let Ok(value) = serde_json::from_slice(body)
    {
        return Ok(Decoded { value, repaired: false, unknown: Vec::new() });
    }
    // The reader looks at no byte of a string that it skips.
    if let Err(error) = std::str::from_utf8(body) {
        let problem = read::<T>(body, mode).map_or_else(|_| reason::<T>(body), |_| error.to_string());
        return Err(failed::<T>(problem));
    }
    let first = first_byte(body);
    if first == Some(b'[') && matches!(shape, Shape::Struct(_)) {
        return Err(failed::<T>("expected an object, found an array".to_owned()));
    }
    if let Ok((value, unknown)) = read::<T>(body, mode) {
        return finish(value, unknown, false, mode);
    }
    if first == Some(b'{') && shape == Shape::UnitStruct {
        return decode_unit(body, mode);
    }
    let Some(repaired) = repair(body) else {
        return Err(failed::<T>(reason::<T>(body)));
    };
    match read::<T>(&repaired, mode) {
        Ok((value, unknown)) => finish(value, unknown, true, mode),
        Err(_) => Err(failed::<T>(reason::<T>(&repaired))),
    }
}

/// The first bytes of a body or channel, escaped, for logs and errors.
///
/// ```
/// assert_eq!(formicary_protocol::excerpt(b"{\"a\": \"\xff\n\"}"), r#"{"a": "\xff\n"}"#);
/// ```
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes.iter().take(EXCERPT) {
        match byte {
            b'"' | b'\'' => text.push(char::from(byte)),
            byte => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    if bytes.len() > EXCERPT {
        text.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    text
}

fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

fn read<T: DeserializeOwned>(body: &[u8], mode: CheckMode) -> Result<(T, Unknown), serde_json::Error> {
    let mut unknown = Unknown::default();
    if mode == CheckMode::Off {
        return Ok((serde_json::from_slice(body)?, unknown));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_ignored::deserialize(&mut reader, |path| unknown.note(&place(&path)))?;
    reader.end()?;
    Ok((value, unknown))
}

/// The path without the marks that `serde_ignored` leaves for each `Option`.
fn place(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    let (parent, step) = match path {
        Path::Root => return String::new(),
        Path::Seq { parent, index } => (parent, index.to_string()),
        Path::Map { parent, key } => (parent, key.clone()),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            return place(parent);
        }
    };
    match place(parent) {
        parent if parent.is_empty() => step,
        parent => format!("{parent}.{step}"),
    }
}

fn decode_unit<T: DeserializeOwned>(body: &[u8], mode: CheckMode) -> Result<Decoded<T>, Error> {
    let arguments = decode::<BTreeMap<String, IgnoredAny>>(body, CheckMode::Off).map_err(|error| match error {
        Error::Decode { problem, .. } => failed::<T>(problem),
        other => other,
    })?;
    let mut unknown = Unknown::default();
    if mode != CheckMode::Off {
        arguments.value.keys().for_each(|name| unknown.note(name));
    }
    match serde_json::from_slice(b"null") {
        Ok(value) => finish(value, unknown, arguments.repaired, mode),
        Err(error) => Err(failed::<T>(error.to_string())),
    }
}

fn finish<T>(value: T, unknown: Unknown, repaired: bool, mode: CheckMode) -> Result<Decoded<T>, Error> {
    let unknown = unknown.into_list();
    if mode == CheckMode::Reject && !unknown.is_empty() {
        return Err(Error::UnknownArguments { subject: short_type_name::<T>(), arguments: unknown });
    }
    Ok(Decoded { value, repaired, unknown })
}

/// Reads once more, slower, to learn the path of what failed.
fn reason<T: DeserializeOwned>(body: &[u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) if error.path().iter().next().is_none() => error.inner().to_string(),
        Err(error) => {
            let path = error.path().to_string().escape_debug().to_string();
            format!("{}: {}", shorten(&path, MAX_PATH), error.inner())
        }
        Ok(_) => reader.end().err().map_or_else(|| "unreadable".to_owned(), |error| error.to_string()),
    }
}

fn failed<T>(problem: String) -> Error {
    Error::Decode { subject: short_type_name::<T>(), problem: shorten(&problem, MAX_QUOTED) }
}

#[derive(Default)]
struct Unknown {
    paths: Vec<String>,
    more: usize,
}

impl Unknown {
    fn note(&mut self, path: &str) {
        if self.paths.len() < MAX_UNKNOWN {
            self.paths.push(shorten(&path.escape_debug().to_string(), MAX_QUOTED));
        } else {
            self.more += 1;
        }
    }

    fn into_list(mut self) -> Vec<String> {
        if self.more > 0 {
            self.paths.push(format!("and {} more", self.more));
        }
        self.paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> serde_json::Value {
        (1..depth).fold(serde_json::json!([]), |value, _| serde_json::Value::Array(vec![value]))
    }

    #[test]
    fn what_no_reader_takes_is_not_written() {
        let body = encode(&nested(MAX_DEPTH)).expect("a body at the limit");
        assert!(decode::<serde_json::Value>(&body, CheckMode::Off).is_ok());
        let error = encode(&nested(MAX_DEPTH + 1)).map(drop).expect_err("a body beyond the limit");
        assert!(error.to_string().contains("nested deeper than 127 levels"), "{error}");
    }

    #[test]
    fn an_argument_that_is_skipped_must_be_text_too() {
        #[derive(Debug, serde::Deserialize)]
        struct One {
            #[allow(dead_code, reason = "only its decoding matters")]
            n: u64,
        }
        let error = decode::<One>(b"{\"n\": 1, \"s\": \"\xff\"}", CheckMode::Warn).map(drop).expect_err("no UTF-8");
        assert!(error.to_string().contains("utf-8"), "{error}");
    }

    #[test]
    fn brackets_in_text_are_no_nesting() {
        let text = "[{\"".repeat(500) + "\\";
        assert!(encode(&serde_json::json!({ "text": text })).is_ok());
    }
}
