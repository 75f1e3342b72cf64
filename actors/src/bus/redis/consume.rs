use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::signal_pattern;
use tokio::time::Instant;

use super::connection::Link;
use super::publish::left;
use crate::AdapterContext;
use crate::bus::{Incoming, Names, Subscriptions, lagged, read_with};
use crate::contract::Subscribe;
use crate::error::Error;
use crate::redis::{self, CommandError};
use crate::waiter::{Answered, WaiterPort};

/// Subscribes, and answers when it is live. A connection that is lost meanwhile is waited for; from then on the
/// subscription is kept over every reconnect.
pub(super) async fn subscribe(link: Rc<Link>, subscribe: Subscribe) {
    let Subscribe { id, signal, inlet, reply } = subscribe;
    let env = &link.context.env;
    let pattern = signal_pattern(&env.prefix, &signal);
    let deadline = crate::clock::after(env.limits.send_deadline);
    link.subscriptions.insert(signal.clone(), id, inlet);
    let failed = loop {
        match link.connection.subscribe(&pattern, left(deadline)).await {
            Ok(()) => return reply.send(Ok(())),
            Err(CommandError::Unknown(_)) if Instant::now() < deadline => {}
            Err(error) => break error,
        }
    };
    if link.subscriptions.remove(id).is_some() {
        link.connection.forget(&pattern);
    }
    reply.send(Err(match failed {
        CommandError::Refused { message, .. } => {
            Error::Refused { what: format!("the subscription to `{signal}`"), reason: message }
        }
        CommandError::NotSent(reason) | CommandError::Unknown(reason) => {
            Error::Unreachable { what: "bus", address: link.connection.endpoint().to_string(), reason }
        }
    }));
}

/// Ends the pattern of a signal that nobody here hears any more.
pub(super) async fn unsubscribe(link: Rc<Link>, signal: Arc<str>) {
    let env = &link.context.env;
    let pattern = signal_pattern(&env.prefix, &signal);
    // What still comes is nobody's; an error means that the connection, and with it the subscription, is gone.
    drop(link.connection.unsubscribe(&pattern, env.limits.send_deadline).await);
}

/// What a connection's messages go into.
pub(super) fn receive(
    context: Rc<AdapterContext>,
    subscriptions: Rc<Subscriptions>,
    waiter: WaiterPort,
) -> redis::Receiver {
    let mut names = Names::default();
    Box::new(move |incoming| {
        let (channel, body) = match incoming {
            redis::Incoming::Message { channel, body } => (channel, body),
            redis::Incoming::Lost(count) => return lagged(&context.env, count, "the newest overflowed"),
        };
        match read_with(&context.env, channel.as_bytes(), body, |name| names.get(name)) {
            Some(Incoming::Signal(arriving)) => subscriptions.offer(arriving),
            Some(Incoming::Answer { responder, call, body }) => {
                waiter.put(Answered { responder, call, body, is_error: false });
            }
            Some(Incoming::AnswerError { responder, call, body }) => {
                waiter.put(Answered { responder, call, body, is_error: true });
            }
            None => {}
        }
    })
}
