use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Bytes, Prefix, answer_channel, answer_error_channel, signal_channel};
use tokio::time::Instant;

use super::connection::Link;
use crate::contract::{Address, Call, CallMode, Publish};
use crate::error::{CallError, SendError};
use crate::redis::{Command, CommandError, Job};
use crate::waiter::{Expect, Fail};

/// What waits in the bus's line: signals, answers and calls, in the order in which they came.
pub(super) enum Outgoing {
    Publish { link: Rc<Link>, publish: Publish },
    Call { link: Rc<Link>, call: Pending },
}

/// A call on its way out.
pub(super) struct Pending {
    signal: Arc<str>,
    sender: Arc<str>,
    id: Arc<str>,
    body: Bytes,
    deadline: Instant,
    /// For the waiter, which gets it when the call goes out: before, the loss of a connection is no reason to fail it.
    expect: Option<Expect>,
}

/// Publishes, and answers the publisher.
pub(super) fn publish(link: &Rc<Link>, publish: Publish) {
    if link.closed.get() {
        return publish.reply.send(Err(SendError::not_sent("the bus is closed")));
    }
    link.line.push(Outgoing::Publish { link: link.clone(), publish });
}

/// Publishes a call, and has the waiter answer the caller.
pub(super) fn call(link: &Rc<Link>, call: Call) {
    let Call { signal, sender, id, body, deadline, mode, permit } = call;
    if link.closed.get() {
        let reason = "the bus is closed".to_owned();
        return fail(mode, CallError::Disconnected { signal: signal.to_string(), reason });
    }
    let expect = Some(Expect { id: id.clone(), signal: signal.clone(), deadline, mode, permit });
    let call = Pending { signal, sender, id, body, deadline, expect };
    link.line.push(Outgoing::Call { link: link.clone(), call });
}

impl Job for Outgoing {
    fn deadline(&self) -> Instant {
        match self {
            Self::Publish { publish, .. } => publish.deadline,
            Self::Call { call, .. } => call.deadline,
        }
    }

    /// What had to wait need not go out when its sender has gone; what can go out at once does, also when its sender's
    /// thread has just ended. Nobody ever waits for the publish of an answer.
    fn ready(&mut self, waited: bool) -> bool {
        match self {
            Self::Publish { publish, .. } => {
                let is_signal = matches!(publish.address, Address::Signal { .. });
                !(waited && is_signal && publish.reply.is_abandoned())
            }
            Self::Call { link, call } => {
                let Some(expect) = call.expect.take_if(|expect| !(waited && is_abandoned(&expect.mode))) else {
                    return false;
                };
                link.waiter.put(expect);
                true
            }
        }
    }

    /// The waiter has failed a call whose connection died.
    fn again(&self) -> bool {
        matches!(self, Self::Publish { .. })
    }

    fn command(&mut self) -> Command {
        match self {
            Self::Publish { link, publish } => {
                let channel = channel(&link.context.env.prefix, &publish.address);
                Command::Publish { channel, body: publish.body.clone() }
            }
            Self::Call { link, call } => {
                let Pending { signal, sender, id, body, .. } = call;
                let channel = signal_channel(&link.context.env.prefix, signal, sender, Some(id));
                Command::Publish { channel, body: std::mem::take(body) }
            }
        }
    }

    fn end(self, outcome: Result<u64, CommandError>) {
        match self {
            Self::Publish { link, publish } => {
                let Publish { address, reply, permit, .. } = publish;
                drop(permit);
                if outcome.is_ok() {
                    link.context.env.told_sent(&address);
                }
                reply.send(outcome.map(Some).map_err(Into::into));
            }
            Self::Call { link, call } => call.end(&link, outcome),
        }
    }
}

impl Pending {
    fn end(self, link: &Link, outcome: Result<u64, CommandError>) {
        let signal = || self.signal.to_string();
        let error = match outcome {
            Ok(0) => CallError::NobodyListening { signal: signal() },
            // An answer may still come. If not, the loss of the connection or the deadline ends the call.
            Ok(_) | Err(CommandError::Unknown(_)) => return,
            Err(error) => CallError::NotSent { signal: signal(), source: error.into() },
        };
        match self.expect {
            None => link.waiter.put(Fail { id: self.id, error }),
            Some(expect) => fail(expect.mode, error),
        }
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

fn channel(prefix: &Prefix, address: &Address) -> String {
    match address {
        Address::Signal { signal, sender } => signal_channel(prefix, signal, sender, None),
        Address::Answer { responder, call } => answer_channel(prefix, responder, call),
        Address::AnswerError { responder, call } => answer_error_channel(prefix, responder, call),
    }
}

pub(super) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
