//! What a caller makes of an answer.

use formicary_protocol::{Value, decode_answers, decode_failures};
use serde::de::DeserializeOwned;

use crate::contract::Answers;
use crate::error::CallError;

/// The first value in an answer that is not null and decodes.
pub(crate) fn first<T: DeserializeOwned>(signal: &str, answers: &Answers) -> Result<T, CallError> {
    let signal = || signal.to_owned();
    let values = decode_answers(&answers.body)
        .map_err(|error| CallError::Decode { signal: signal(), reason: error.to_string() })?;
    let mut misfit = None;
    for (handler, value) in values {
        if value.is_null() {
            continue;
        }
        match serde_json::from_value::<T>(value) {
            Ok(value) => return Ok(value),
            Err(error) => misfit = misfit.or(Some(format!("{handler}: {error}"))),
        }
    }
    if let Some(reason) = misfit {
        return Err(CallError::Decode { signal: signal(), reason });
    }
    let failures = answers.failures.as_deref().and_then(|body| decode_failures(body).ok()).unwrap_or_default();
    if let Some((handler, failure)) = failures.into_iter().next() {
        let (kind, message) = (failure.kind, failure.message);
        if kind == "overloaded" {
            return Err(CallError::Overloaded { signal: signal(), reason: format!("{handler}: {message}") });
        }
        return Err(CallError::Remote { signal: signal(), handler, kind, message });
    }
    // A caller that expects nothing is content with null; for all others it may be the error of a Python agent.
    let empty = CallError::Empty { signal: signal(), responder: answers.responder.to_string() };
    if size_of::<T>() == 0 { serde_json::from_value(Value::Null).map_err(|_| empty) } else { Err(empty) }
}
