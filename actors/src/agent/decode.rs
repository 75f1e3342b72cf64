use formicary_protocol::{CheckMode, Error, Value, decode};
use serde::de::DeserializeOwned;

use super::shared::Shared;
use crate::events::{BadInput, Event, EventKind};

/// Why a body never reached its handler.
#[derive(Debug)]
pub(crate) struct DecodeFailure {
    pub(crate) what: BadInput,
    pub(crate) reason: String,
}

impl DecodeFailure {
    pub(crate) fn too_large(size: usize, limit: usize) -> Self {
        Self { what: BadInput::TooLarge, reason: format!("{size} bytes; the limit is {limit} (setting max_body)") }
    }
}

/// Decodes a body into the handler's type. `place` is the signal or queue, for events.
pub(crate) fn decode_payload<T: DeserializeOwned>(
    shared: &Shared,
    place: &str,
    body: &[u8],
) -> Result<T, DecodeFailure> {
    let env = &shared.env;
    let decoded = decode::<T>(body, env.check).map_err(|error| {
        let what = match error {
            Error::UnknownArguments { .. } => BadInput::Rejected,
            _ => BadInput::Body,
        };
        DecodeFailure { what, reason: error.to_string() }
    })?;
    if decoded.repaired {
        env.events.emit(EventKind::Repaired, || Event::Repaired { place: place.into() });
    }
    if !decoded.unknown.is_empty() {
        mismatched(shared, place, &format!("unknown arguments: {}", decoded.unknown.join(", ")));
    }
    Ok(decoded.value)
}

/// Decodes the arguments of a signal whose type the handler does not know, and holds them against the declaration.
pub(crate) fn decode_value(shared: &Shared, signal: &str, body: &[u8]) -> Result<Value, DecodeFailure> {
    let value: Value = decode_payload(shared, signal, body)?;
    if !value.is_object() {
        let reason = "the arguments of a signal are a JSON object".to_owned();
        return Err(DecodeFailure { what: BadInput::Body, reason });
    }
    if shared.env.check == CheckMode::Off {
        return Ok(value);
    }
    let mismatches = shared.env.declarations.signal(signal).map(|s| s.check(&value)).unwrap_or_default();
    if mismatches.is_empty() {
        return Ok(value);
    }
    let reason = mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if shared.env.check == CheckMode::Reject {
        return Err(DecodeFailure { what: BadInput::Rejected, reason });
    }
    mismatched(shared, signal, &reason);
    Ok(value)
}

fn mismatched(shared: &Shared, place: &str, reason: &str) {
    let events = &shared.env.events;
    events.emit(EventKind::Mismatched, || Event::Mismatched { place: place.into(), reason: reason.into() });
    if let Some(times) = events.line_due("mismatch received", place) {
        tracing::warn!(agent = %shared.agent, place, times, "a payload does not fit its declaration: {reason}");
    }
}
