use std::any::Any;

use formicary_protocol::{Error, Mismatch, Value, decode};
use serde::de::DeserializeOwned;

use super::shared::Shared;
use crate::events::{BadInput, Event, EventKind};
use crate::payload;

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
        payload::mismatched(env, "received", place, &format!("unknown arguments: {}", decoded.unknown.join(", ")));
    }
    Ok(decoded.value)
}

/// Decodes a message of a queue, which any program may have put there: one that is too large is not looked at. One that is taken as a value is held against the declaration.
pub(crate) fn decode_message<T: DeserializeOwned + 'static>(
    shared: &Shared,
    queue: &str,
    body: &[u8],
) -> Result<T, DecodeFailure> {
    let limit = shared.env.limits.max_body.get();
    if body.len() > limit {
        return Err(DecodeFailure::too_large(body.len(), limit));
    }
    let message: T = decode_payload(shared, queue, body)?;
    if let Some(value) = (&message as &dyn Any).downcast_ref::<Value>() {
        let declared = shared.env.declarations.queue(queue);
        hold(shared, queue, || declared.map(|queue| queue.check(value)).unwrap_or_default())?;
    }
    Ok(message)
}

/// Decodes the arguments of a signal whose type the handler does not know, and holds them against the declaration.
pub(crate) fn decode_value(shared: &Shared, signal: &str, body: &[u8]) -> Result<Value, DecodeFailure> {
    let value: Value = decode_payload(shared, signal, body)?;
    if !value.is_object() {
        let reason = "the arguments of a signal are a JSON object".to_owned();
        return Err(DecodeFailure { what: BadInput::Body, reason });
    }
    let declared = shared.env.declarations.signal(signal);
    hold(shared, signal, || declared.map(|signal| signal.check(&value)).unwrap_or_default())?;
    Ok(value)
}

fn hold(shared: &Shared, place: &str, check: impl FnOnce() -> Vec<Mismatch>) -> Result<(), DecodeFailure> {
    let judged = payload::judge(&shared.env, "received", place, check);
    judged.map_err(|reason| DecodeFailure { what: BadInput::Rejected, reason })
}
