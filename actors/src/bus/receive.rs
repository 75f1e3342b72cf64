use std::sync::Arc;

use formicary_protocol::{Bytes, Channel, excerpt};

use crate::Env;
use crate::contract::Arriving;
use crate::events::{BadInput, Event, EventKind};

/// What a channel and its body are.
pub(crate) enum Incoming {
    Signal(Arriving),
    Answer { responder: Arc<str>, call: Arc<str>, body: Bytes },
    AnswerError { responder: Arc<str>, call: Arc<str>, body: Bytes },
}

/// Reads what came over the wire. What is wrong is counted and logged, and never more than that.
pub(crate) fn read(env: &Env, channel: &[u8], body: Bytes) -> Option<Incoming> {
    read_with(env, channel, body, |name| name.into())
}

/// As [`read`], with a `name` that makes names of signals, senders and responders, which come over and over.
pub(crate) fn read_with(
    env: &Env,
    channel: &[u8],
    body: Bytes,
    mut name: impl FnMut(&str) -> Arc<str>,
) -> Option<Incoming> {
    let parsed = match Channel::parse(&env.prefix, channel) {
        Ok(parsed) => parsed,
        Err(error) => {
            bad(env, "channel", &excerpt(channel), BadInput::Channel, &error.to_string(), &body);
            return None;
        }
    };
    let place = match parsed {
        // The sender stands in the channel, and there may be a million of them: the signal names the place.
        Channel::Signal { signal, .. } => signal,
        _ => "response",
    };
    if !fits(env, place, || excerpt(channel), &body) {
        return None;
    }
    Some(match parsed {
        Channel::Signal { signal, sender, call } => {
            Incoming::Signal(Arriving { signal: name(signal), sender: name(sender), call: call.map(Into::into), body })
        }
        Channel::Answer { responder, call } => Incoming::Answer { responder: name(responder), call: call.into(), body },
        Channel::AnswerError { responder, call } => {
            Incoming::AnswerError { responder: name(responder), call: call.into(), body }
        }
    })
}

/// Whether a body that came in is within the limit. One that is not is counted as bad input.
pub(crate) fn fits(env: &Env, place: &str, from: impl FnOnce() -> String, body: &[u8]) -> bool {
    let limit = env.limits.max_body;
    if body.len() <= limit.get() {
        return true;
    }
    let reason = format!("{} bytes; the limit is {limit}", body.len());
    bad(env, place, &from(), BadInput::TooLarge, &reason, body);
    false
}

/// Counts bad input, and logs it with where it came from and the first bytes of its body. `place` is a name of ours, of
/// which there are few; `from` may be anything.
pub(crate) fn bad(env: &Env, place: &str, from: &str, what: BadInput, reason: &str, body: &[u8]) {
    env.events.add(what.counter(), 1);
    env.events.emit(EventKind::BadInput, || Event::BadInput { place: place.into(), what, reason: reason.into() });
    if let Some(times) = env.events.line_due("bad input", place) {
        tracing::warn!(place, from, ?what, times, body = excerpt(body), "bad input: {reason}");
    }
}
