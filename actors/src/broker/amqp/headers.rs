//! The headers of ours, and how odd ones are read: whatever stands there, a message is delivered.

use std::sync::Arc;

use formicary_protocol::entry::MAX_HISTORY;
use formicary_protocol::{DeadReason, Failure};
use lapin::types::{AMQPValue, FieldTable};

/// The number of the attempt. Absent at the first.
pub(super) const ATTEMPT: &str = "x-formicary-attempt";
/// When the message was first taken, in milliseconds since 1970.
pub(super) const FIRST_SEEN: &str = "x-formicary-first-seen";
/// The failed attempts, a JSON list.
pub(super) const HISTORY: &str = "x-formicary-history";
/// Why a dead letter died.
pub(super) const REASON: &str = "x-formicary-reason";
/// When, in milliseconds since 1970.
pub(super) const DIED_AT: &str = "x-formicary-died-at";
/// Until when the message is worth delivering, in milliseconds since 1970.
pub(super) const EXPIRES_AT: &str = "x-formicary-expires-at";
/// The key that the sender gave.
pub(super) const KEY: &str = "x-formicary-key";

/// The most that the headers of a message may weigh. Frames of RabbitMQ hold 128 KiB unless it is told otherwise.
pub(super) const MOST_WEIGHT: usize = 64 << 10;

/// Whether a header is kept when a message is copied. The server's notes on delays grow, and it would send a copy wherever
/// `CC` and `BCC` say.
pub(super) fn is_kept(name: &str) -> bool {
    let of_the_server =
        name.starts_with("x-death") || name.starts_with("x-first-death-") || name.starts_with("x-last-death-");
    let of_the_past = [ATTEMPT, FIRST_SEEN, HISTORY, REASON, DIED_AT].contains(&name);
    !(of_the_server || of_the_past || name == "CC" || name == "BCC")
}

pub(super) fn number(value: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX))
}

pub(super) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

pub(super) fn read_number(headers: &FieldTable, name: &str) -> Option<u64> {
    match headers.inner().get(name)? {
        AMQPValue::ShortShortInt(n) => u64::try_from(*n).ok(),
        AMQPValue::ShortShortUInt(n) => Some(u64::from(*n)),
        AMQPValue::ShortInt(n) => u64::try_from(*n).ok(),
        AMQPValue::ShortUInt(n) => Some(u64::from(*n)),
        AMQPValue::LongInt(n) => u64::try_from(*n).ok(),
        AMQPValue::LongUInt(n) => Some(u64::from(*n)),
        AMQPValue::LongLongInt(n) => u64::try_from(*n).ok(),
        AMQPValue::Timestamp(n) => Some(*n),
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?.parse().ok(),
        _ => None,
    }
}

/// What a table weighs on the wire, about. All headers of a message have to fit into one frame.
pub(super) fn weight(headers: &FieldTable) -> usize {
    headers.into_iter().map(|(name, value)| name.as_str().len() + 8 + weight_of(value)).sum()
}

fn weight_of(value: &AMQPValue) -> usize {
    match value {
        AMQPValue::LongString(text) => text.len(),
        AMQPValue::ByteArray(bytes) => bytes.len(),
        AMQPValue::ShortString(text) => text.as_str().len(),
        AMQPValue::FieldTable(table) => weight(table),
        AMQPValue::FieldArray(array) => array.as_slice().iter().map(|value| 8 + weight_of(value)).sum(),
        _ => 0,
    }
}

fn read_text<'h>(headers: &'h FieldTable, name: &str) -> Option<&'h str> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

pub(super) fn read_attempt(headers: &FieldTable) -> u32 {
    read_number(headers, ATTEMPT).and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1).max(1)
}

pub(super) fn read_history(headers: &FieldTable) -> Arc<[Failure]> {
    let history: Vec<Failure> =
        read_text(headers, HISTORY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let surplus = history.len().saturating_sub(MAX_HISTORY);
    let shortened = |one: &Failure| Failure::new(one.at_ms, &one.agent, &one.handler, &one.error);
    history.iter().skip(surplus).map(shortened).collect()
}

/// Why it died: a message that somebody else put there has no reason that we know.
pub(super) fn read_reason(headers: Option<&FieldTable>) -> DeadReason {
    let word = headers.and_then(|headers| read_text(headers, REASON)).unwrap_or("unreadable");
    DeadReason::from(word.to_owned())
}

pub(super) fn history(failures: &[Failure]) -> AMQPValue {
    // Strings and numbers: there is nothing in it that JSON could refuse.
    text(&serde_json::to_string(failures).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, value: AMQPValue) -> FieldTable {
        let mut headers = FieldTable::default();
        headers.insert(name.into(), value);
        headers
    }

    #[test]
    fn odd_headers_are_read_as_if_they_were_not_there() {
        for value in
            [AMQPValue::Void, text("x"), AMQPValue::LongInt(-3), AMQPValue::Double(2.0), number(u64::MAX), number(0)]
        {
            assert_eq!(read_attempt(&table(ATTEMPT, value)), 1);
        }
        for value in [AMQPValue::LongInt(3), text("3"), AMQPValue::ShortShortUInt(3)] {
            assert_eq!(read_attempt(&table(ATTEMPT, value)), 3);
        }
        for value in [AMQPValue::Void, text("{"), text("[1]"), AMQPValue::LongString(vec![0xff].into())] {
            assert!(read_history(&table(HISTORY, value)).is_empty());
        }
    }

    #[test]
    fn the_history_stays_within_its_bounds() {
        let long: Vec<_> = (0..30)
            .map(|at| Failure { at_ms: at, agent: "A".into(), handler: "h".into(), error: "e".repeat(9_999) })
            .collect();
        let read = read_history(&table(HISTORY, history(&long)));
        assert_eq!((read.len(), read[0].at_ms, read[0].error.len()), (10, 20, 500));
    }
}
