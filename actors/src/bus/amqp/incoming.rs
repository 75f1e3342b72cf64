//! Reads what arrives. What is wrong is counted and logged, and never more than that.

use std::cell::RefCell;
use std::rc::Weak;
use std::sync::Arc;

use formicary_protocol::{Bytes, excerpt};
use lapin::message::Delivery;
use lapin::types::ShortString;

use super::drain::Take;
use super::names::{foreign_call, take_apart};
use super::outgoing::{ANSWER, ANSWER_ERROR};
use super::shared::Shared;
use crate::Env;
use crate::bus::{Names, bad, fits, lagged};
use crate::contract::Arriving;
use crate::events::BadInput;
use crate::waiter::Answered;

/// Takes signals and calls. `own` is the queue to which the answers of our own calls come.
pub(super) fn signals(shared: Weak<Shared>, own: ShortString) -> Take {
    with(shared, move |shared, delivery| {
        let env = &shared.context.env;
        if let Some(arriving) = signal(env, &shared.names, &own, delivery) {
            shared.subscriptions.offer(arriving);
        }
    })
}

/// Takes answers.
pub(super) fn answers(shared: Weak<Shared>) -> Take {
    with(shared, |shared, delivery| {
        if let Some(answered) = answer(&shared.context.env, &shared.names, delivery) {
            shared.waiter.put(answered);
        }
    })
}

/// Takes, once a second at most, one of those that the server has dropped because we did not take them.
pub(super) fn lost(shared: Weak<Shared>) -> Take {
    with(shared, |shared, _| {
        lagged(&shared.context.env, 1, "the server dropped at least so many of the oldest (setting backlog)");
    })
}

fn with(shared: Weak<Shared>, mut take: impl FnMut(&Shared, Delivery) + 'static) -> Take {
    Box::new(move |delivery| {
        if let Some(shared) = shared.upgrade() {
            take(&shared, delivery);
        }
    })
}

fn signal(env: &Env, names: &RefCell<Names>, own: &ShortString, delivery: Delivery) -> Option<Arriving> {
    let key = delivery.routing_key.as_str();
    let shown = || excerpt(key.as_bytes());
    let (signal, sender) = match take_apart(key) {
        Ok(parts) => parts,
        Err(problem) => {
            let reason = format!("the routing key {} {problem}", shown());
            bad(env, "channel", &shown(), BadInput::Channel, &reason, &delivery.data);
            return None;
        }
    };
    // The sender stands in the key, and there may be a million of them: the signal names the place.
    if !fits(env, &signal, shown, &delivery.data) {
        return None;
    }
    let properties = &delivery.properties;
    let correlation = properties.correlation_id().as_ref().map_or("", ShortString::as_str);
    let call: Option<Arc<str>> = match properties.reply_to() {
        Some(reply_to) if reply_to == own => Some(correlation.into()),
        Some(reply_to) => Some(foreign_call(correlation, reply_to.as_str())),
        None => None,
    };
    let names = &mut names.borrow_mut();
    let (signal, sender) = (names.get(&signal), names.get(&sender));
    Some(Arriving { signal, sender, call, body: Bytes::from(delivery.data) })
}

fn answer(env: &Env, names: &RefCell<Names>, delivery: Delivery) -> Option<Answered> {
    let properties = &delivery.properties;
    let is_error = properties.kind().as_ref().map(ShortString::as_str) == Some(ANSWER_ERROR);
    // Another program's answer may have no type, and need not say who it is.
    let kind = properties.kind().as_ref().map_or(ANSWER, ShortString::as_str);
    let correlation = properties.correlation_id().as_ref().map_or("", ShortString::as_str);
    let problem = match kind {
        ANSWER | ANSWER_ERROR if correlation.is_empty() => Some("it has no correlation_id".to_owned()),
        ANSWER | ANSWER_ERROR => None,
        other => Some(format!("its type is {}", excerpt(other.as_bytes()))),
    };
    let responder = properties.app_id().as_ref().map_or("", ShortString::as_str);
    if let Some(problem) = problem {
        let reason = format!("a message in the queue for answers is none: {problem}");
        bad(env, "channel", &excerpt(responder.as_bytes()), BadInput::Channel, &reason, &delivery.data);
        return None;
    }
    if !fits(env, "response", || excerpt(responder.as_bytes()), &delivery.data) {
        return None;
    }
    let responder = names.borrow_mut().get(responder);
    Some(Answered { responder, call: correlation.into(), body: Bytes::from(delivery.data), is_error })
}
