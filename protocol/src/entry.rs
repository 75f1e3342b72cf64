//! A queue's message while it is in flight or delayed.
//!
//! An entry is one line of JSON, the header, and below it the message's bytes as they came. Only the header is
//! ever rewritten.
//!
//! ```text
//! {"id":"018f…","attempt":2,"first":1735689600000,"history":[{"at":…,"agent":"EmailAgent","handler":"deliver","error":"…"}]}
//! {"text": "Welcome user 1", "email": "user@example.org"}
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::text::{MAX_QUOTED, cut, shorten};

/// How many failures an entry remembers: the last ones.
pub const MAX_HISTORY: usize = 10;
/// The longest error text in the history, in bytes.
pub const MAX_ERROR: usize = 500;

/// A queue's message with its id, its attempts and what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The id that the message got when it was first taken.
    pub id: String,
    /// The number of this attempt; the first is 1.
    pub attempt: u32,
    /// When it was first taken, in milliseconds since 1970 by the consumer's clock; 0 when unknown.
    pub first_seen_ms: u64,
    /// The failed attempts, the oldest first, at most [`MAX_HISTORY`].
    pub history: Vec<Failure>,
    /// The message as it came, byte for byte.
    pub body: Bytes,
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When, in milliseconds since 1970 by the consumer's clock.
    #[serde(rename = "at", default)]
    pub at_ms: u64,
    /// The agent that failed.
    #[serde(default)]
    pub agent: String,
    /// Its handler.
    #[serde(default)]
    pub handler: String,
    /// What the handler said, at most [`MAX_ERROR`] bytes.
    #[serde(default)]
    pub error: String,
}

impl Failure {
    /// A failure, its error text cut to [`MAX_ERROR`] bytes at a character boundary.
    #[must_use]
    pub fn new(at_ms: u64, agent: &str, handler: &str, error: &str) -> Self {
        Self { at_ms, agent: agent.to_owned(), handler: handler.to_owned(), error: cut(error, MAX_ERROR).to_owned() }
    }
}

impl Entry {
    /// A message that is taken for the first time.
    #[must_use]
    pub fn new(id: &str, first_seen_ms: u64, body: Bytes) -> Self {
        Self { id: id.to_owned(), attempt: 1, first_seen_ms, history: Vec::new(), body }
    }

    /// Notes a failed attempt; the oldest goes when there are more than [`MAX_HISTORY`].
    pub fn push_failure(&mut self, failure: Failure) {
        self.history.push(failure);
        bound(&mut self.history);
    }

    /// The header line and the message below it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        write(&Header::of(self), &self.body)
    }

    /// Reads an entry. Header keys that are not known are ignored, so that a later version may add some.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when there is no header line, or it is not an object with an `id`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (header, body) = read::<Header>("queue entry", bytes)?;
        Ok(header.into_entry(body))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    id: String,
    #[serde(default = "first_attempt")]
    attempt: u32,
    #[serde(default)]
    first: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<Failure>,
}

fn first_attempt() -> u32 {
    1
}

impl Header {
    pub(crate) fn of(entry: &Entry) -> Self {
        let mut history = entry.history.clone();
        bound(&mut history);
        Self { id: entry.id.clone(), attempt: entry.attempt, first: entry.first_seen_ms, history }
    }

    pub(crate) fn into_entry(mut self, body: Bytes) -> Entry {
        bound(&mut self.history);
        Entry { id: self.id, attempt: self.attempt.max(1), first_seen_ms: self.first, history: self.history, body }
    }
}

fn bound(history: &mut Vec<Failure>) {
    let surplus = history.len().saturating_sub(MAX_HISTORY);
    history.drain(..surplus);
    for failure in history {
        let length = cut(&failure.error, MAX_ERROR).len();
        failure.error.truncate(length);
    }
}

pub(crate) fn write<H: Serialize>(header: &H, body: &[u8]) -> Bytes {
    // A header is strings and numbers under string keys: there is nothing in it that JSON could refuse.
    let line = serde_json::to_vec(header).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(line.len() + 1 + body.len());
    bytes.put_slice(&line);
    bytes.put_u8(b'\n');
    bytes.put_slice(body);
    bytes.freeze()
}

pub(crate) fn read<H: for<'de> Deserialize<'de>>(what: &str, bytes: &[u8]) -> Result<(H, Bytes), Error> {
    let refuse = |problem: String| Error::Decode { subject: what.to_owned(), problem: shorten(&problem, MAX_QUOTED) };
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| refuse("it has no header line: something else writes to this key".to_owned()))?;
    let (line, body) = bytes.split_at(end);
    let header = serde_json::from_slice(line).map_err(|error| refuse(format!("header: {error}")))?;
    Ok((header, Bytes::copy_from_slice(body.get(1..).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_header_that_a_script_writes() {
        let entry =
            Entry::decode(b"{\"id\":\"a1\",\"attempt\":1,\"first\":1735689600000}\n{\"x\": 1}\n\n").expect("an entry");
        assert_eq!(entry, Entry::new("a1", 1_735_689_600_000, Bytes::from_static(b"{\"x\": 1}\n\n")));
        assert_eq!(&entry.encode()[..], b"{\"id\":\"a1\",\"attempt\":1,\"first\":1735689600000}\n{\"x\": 1}\n\n");
    }

    #[test]
    fn optional_keys_default_and_unknown_ones_are_ignored() {
        let entry = Entry::decode(b"{\"id\":\"a\",\"later\":[1]}\n").expect("an entry");
        assert_eq!(entry, Entry::new("a", 0, Bytes::new()));
    }

    #[test]
    fn refuses_what_is_not_an_entry() {
        for bytes in [&b""[..], b"{}", b"{}\n", b"[1]\n", b"{\"id\":1}\n", b"{\"id\":\"a\"}", b"\xff\n{}"] {
            assert!(Entry::decode(bytes).is_err(), "{bytes:?} was taken");
        }
    }

    #[test]
    fn the_history_keeps_the_last_ten_and_short_errors() {
        let mut entry = Entry::new("a", 1, Bytes::from_static(b"x"));
        for at in 0..15 {
            entry.push_failure(Failure::new(at, "Agent", "handler", &"é".repeat(400)));
        }
        assert_eq!(entry.history.len(), MAX_HISTORY);
        assert_eq!(entry.history[0].at_ms, 5);
        assert!(entry.history.iter().all(|failure| failure.error == "é".repeat(250)));
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn a_body_may_hold_anything() {
        let entry = Entry::new("new\nline", 1, Bytes::from_static(b"\0\xff\n{}"));
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
}
