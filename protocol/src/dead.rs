//! A message that will not be tried again.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::entry::{Header, read, write};
use crate::{Entry, Error};

/// Why a message was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum DeadReason {
    /// The last attempt failed.
    Exhausted,
    /// The body is not what the queue's messages are.
    Undecodable,
    /// The body was read, and a check in mode `reject` refused it.
    Rejected,
    /// The body is larger than the limit.
    TooLarge,
    /// The message's time was over before a handler had it.
    Expired,
    /// The handler said that another attempt is of no use.
    Refused,
    /// A word that this version does not know; it stays as it is.
    Other(Box<str>),
}

impl DeadReason {
    const KNOWN: [(&'static str, Self); 6] = [
        ("exhausted", Self::Exhausted),
        ("undecodable", Self::Undecodable),
        ("rejected", Self::Rejected),
        ("too large", Self::TooLarge),
        ("expired", Self::Expired),
        ("refused", Self::Refused),
    ];
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exhausted => "exhausted",
            Self::Undecodable => "undecodable",
            Self::Rejected => "rejected",
            Self::TooLarge => "too large",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Other(word) => word,
        })
    }
}

impl From<String> for DeadReason {
    fn from(word: String) -> Self {
        let known = Self::KNOWN.into_iter().find(|(known, _)| *known == word);
        known.map_or_else(|| Self::Other(word.into_boxed_str()), |(_, reason)| reason)
    }
}

impl From<DeadReason> for String {
    fn from(reason: DeadReason) -> Self {
        reason.to_string()
    }
}

/// An entry of the dead-letter queue, written like an [`Entry`] with two keys more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The entry as it was at its last attempt.
    pub entry: Entry,
    /// Why it was put aside.
    pub reason: DeadReason,
    /// When, in milliseconds since 1970 by the consumer's clock.
    pub died_at_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct DeadHeader {
    #[serde(flatten)]
    entry: Header,
    reason: DeadReason,
    #[serde(default)]
    died: u64,
}

impl DeadLetter {
    /// The header line and the message below it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let header = DeadHeader { entry: Header::of(&self.entry), reason: self.reason.clone(), died: self.died_at_ms };
        write(&header, &self.entry.body)
    }

    /// Reads a dead letter. Header keys that are not known are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when there is no header line, or it is not an object with an `id` and a `reason`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (header, body) = read::<DeadHeader>("dead letter", bytes)?;
        Ok(Self { entry: header.entry.into_entry(body), reason: header.reason, died_at_ms: header.died })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let reasons = DeadReason::KNOWN.into_iter().map(|(_, reason)| reason).chain([DeadReason::Other("moon".into())]);
        for reason in reasons {
            let letter = DeadLetter { entry: Entry::new("a", 5, Bytes::from_static(b"{}")), reason, died_at_ms: 7 };
            assert_eq!(DeadLetter::decode(&letter.encode()), Ok(letter));
        }
    }

    #[test]
    fn the_line_is_an_entry_too() {
        let letter = DeadLetter {
            entry: Entry::new("a", 5, Bytes::from_static(b"{}")),
            reason: DeadReason::TooLarge,
            died_at_ms: 7,
        };
        assert_eq!(
            &letter.encode()[..],
            b"{\"id\":\"a\",\"attempt\":1,\"first\":5,\"reason\":\"too large\",\"died\":7}\n{}"
        );
        assert_eq!(Entry::decode(&letter.encode()), Ok(letter.entry));
    }

    #[test]
    fn an_entry_without_a_reason_is_no_dead_letter() {
        assert!(DeadLetter::decode(b"{\"id\":\"a\"}\n{}").is_err());
    }
}
