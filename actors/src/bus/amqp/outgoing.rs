//! Signals, calls and answers on their way out.

use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::Bytes;
use lapin::BasicProperties;
use lapin::types::ShortString;
use tokio::time::Instant;

use super::live::Live;
use super::names::{ReturnPath, name, return_path, routing_key};
use super::shared::Shared;
use crate::amqp::{CommandError, Message};
use crate::contract::{Address, Call, CallMode, Publish};
use crate::error::{CallError, SendError};
use crate::waiter::{Expect, Fail};

/// The `type` of an answer, and of the errors that come before one. Nothing else has a type.
pub(super) const ANSWER: &str = "answer";
pub(super) const ANSWER_ERROR: &str = "answer_error";

/// What waits in the line.
pub(super) enum Outgoing {
    Publish { shared: Rc<Shared>, to: To, publish: Publish },
    Call { shared: Rc<Shared>, call: Pending },
}

/// Where something goes that is not a call.
pub(super) enum To {
    Signal {
        key: ShortString,
    },
    /// `reply_to` is our own queue of the moment unless it is known.
    Answer {
        reply_to: Option<ShortString>,
        correlation: ShortString,
        responder: ShortString,
        kind: &'static str,
    },
}

/// A call on its way out.
pub(super) struct Pending {
    signal: Arc<str>,
    key: ShortString,
    id: Arc<str>,
    correlation: ShortString,
    body: Bytes,
    deadline: Instant,
    /// For the waiter, which gets it when the call goes out: before, the loss of a connection is no reason to fail it.
    expect: Option<Expect>,
}

/// Publishes, and answers the publisher.
pub(super) fn publish(shared: &Rc<Shared>, publish: Publish) {
    if shared.closed.get() {
        return publish.reply.send(Err(SendError::not_sent("the bus is closed")));
    }
    match To::of(&publish.address) {
        Ok(to) => shared.line.push(Outgoing::Publish { shared: shared.clone(), to, publish }),
        Err(reason) => publish.reply.send(Err(SendError::not_sent(reason))),
    }
}

/// Publishes a call, and has the waiter answer the caller.
pub(super) fn call(shared: &Rc<Shared>, call: Call) {
    let Call { signal, sender, id, body, deadline, mode, permit } = call;
    if shared.closed.get() {
        let reason = "the bus is closed".to_owned();
        return fail(mode, CallError::Disconnected { signal: signal.to_string(), reason });
    }
    let named = routing_key(&signal, &sender).and_then(|key| Ok((key, name("the id of the call", &*id)?)));
    let (key, correlation) = match named {
        Ok(names) => names,
        Err(reason) => return fail(mode, CallError::Invalid { signal: signal.to_string(), reason }),
    };
    let expect = Some(Expect { id: id.clone(), signal: signal.clone(), deadline, mode, permit });
    let call = Pending { signal, key, id, correlation, body, deadline, expect };
    shared.line.push(Outgoing::Call { shared: shared.clone(), call });
}

impl To {
    fn of(address: &Address) -> Result<Self, String> {
        let answer = |responder: &str, call: &str, kind| {
            let (correlation, reply_to) = match return_path(call) {
                ReturnPath::Own { correlation } => (correlation, None),
                ReturnPath::Foreign { correlation, reply_to } => {
                    (correlation, Some(name("the queue for the answer", reply_to)?))
                }
            };
            let correlation = name("the id of the call", correlation)?;
            let responder = name("the uid of the agent", responder)?;
            Ok(Self::Answer { reply_to, correlation, responder, kind })
        };
        match address {
            Address::Signal { signal, sender } => Ok(Self::Signal { key: routing_key(signal, sender)? }),
            Address::Answer { responder, call } => answer(responder, call, ANSWER),
            Address::AnswerError { responder, call } => answer(responder, call, ANSWER_ERROR),
        }
    }
}

impl Outgoing {
    /// When it is given up: as `NotSent` while it waits, as `Unknown` when it is out.
    pub(super) fn deadline(&self) -> Instant {
        match self {
            Self::Publish { publish, .. } => publish.deadline,
            Self::Call { call, .. } => call.deadline,
        }
    }

    /// Asked right before it goes out, whether it still shall. What had to wait need not go out when its sender has gone; what
    /// can go out at once does, also when its sender's thread has just ended. Nobody ever waits for the publish of an answer.
    pub(super) fn ready(&mut self, waited: bool) -> bool {
        match self {
            Self::Publish { publish, .. } => {
                let is_signal = matches!(publish.address, Address::Signal { .. });
                !(waited && is_signal && publish.reply.is_abandoned())
            }
            Self::Call { shared, call } => {
                let Some(expect) = call.expect.take_if(|expect| !(waited && is_abandoned(&expect.mode))) else {
                    return false;
                };
                shared.waiter.put(expect);
                true
            }
        }
    }

    /// Whether it goes back to its place in the line if its connection died before it was written. The waiter has failed a
    /// call whose connection died.
    pub(super) fn again(&self) -> bool {
        matches!(self, Self::Publish { .. })
    }

    /// The message, right before it goes out.
    pub(super) fn message(&self, shared: &Shared, live: &Live) -> Message {
        match self {
            Self::Publish { to: To::Signal { key }, publish, .. } => Message {
                exchange: shared.exchange.clone(),
                key: key.clone(),
                mandatory: false,
                properties: BasicProperties::default(),
                body: publish.body.clone(),
            },
            Self::Publish { to: To::Answer { reply_to, correlation, responder, kind }, publish, .. } => Message {
                exchange: ShortString::default(),
                key: reply_to.as_ref().unwrap_or(&live.answers).clone(),
                mandatory: false,
                properties: BasicProperties::default()
                    .with_correlation_id(correlation.clone())
                    .with_app_id(responder.clone())
                    .with_type((*kind).into()),
                body: publish.body.clone(),
            },
            Self::Call { call, .. } => Message {
                exchange: shared.exchange.clone(),
                key: call.key.clone(),
                mandatory: true,
                properties: BasicProperties::default()
                    .with_correlation_id(call.correlation.clone())
                    .with_reply_to(live.answers.clone()),
                body: call.body.clone(),
            },
        }
    }

    /// Tells who waits what became of it.
    pub(super) fn end(self, outcome: Result<(), CommandError>) {
        match self {
            Self::Publish { shared, publish, .. } => {
                let Publish { address, reply, permit, .. } = publish;
                drop(permit);
                match (&outcome, &address) {
                    (Ok(()), _) => shared.context.env.told_sent(&address),
                    (Err(_), Address::Signal { .. }) => {}
                    // Nobody waits for it.
                    (Err(error), _) => unanswered(&shared, error),
                }
                reply.send(outcome.map(|()| None).map_err(Into::into));
            }
            Self::Call { shared, call } => call.end(&shared, outcome),
        }
    }
}

impl Pending {
    fn end(self, shared: &Shared, outcome: Result<(), CommandError>) {
        let error = match outcome {
            // An answer may still come. If not, the loss of the connection or the deadline ends the call.
            Ok(()) | Err(CommandError::Unknown(_)) => return,
            Err(error) => CallError::NotSent { signal: self.signal.to_string(), source: error.into() },
        };
        match self.expect {
            None => shared.waiter.put(Fail { id: self.id, error }),
            Some(expect) => fail(expect.mode, error),
        }
    }
}

fn unanswered(shared: &Shared, error: &CommandError) {
    if let Some(times) = shared.context.env.events.line_due("answers", "bus") {
        tracing::warn!(times, "bus: an answer did not go out: {error}");
    }
}

fn fail(mode: CallMode, error: CallError) {
    match mode {
        CallMode::First(reply) => reply.send(Err(error)),
        CallMode::All(stream) => drop(stream.try_send(Err(error))),
    }
}

fn is_abandoned(mode: &CallMode) -> bool {
    match mode {
        CallMode::First(reply) => reply.is_abandoned(),
        CallMode::All(stream) => stream.is_closed(),
    }
}
