use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::{Prefix, answer_channel, answer_error_channel, signal_channel};
use tokio::time::Instant;

use super::connection::Link;
use crate::contract::{Address, Call, CallMode, Publish};
use crate::error::CallError;
use crate::redis::CommandError;
use crate::waiter::{Expect, Fail};

/// Publishes, and answers the publisher. Many of these run at once; the line of the connection keeps their order.
pub(super) async fn publish(link: Rc<Link>, publish: Publish) {
    let Publish { address, body, deadline, reply, permit } = publish;
    let channel = channel(&link.context.env.prefix, &address);
    // Nobody ever waits for the publish of an answer. A signal that had to wait need not go out when its sender has
    // gone; one that can go out at once does, also when its sender's thread has just ended.
    let is_signal = matches!(address, Address::Signal { .. });
    let ready = |waited: bool| !(waited && is_signal && reply.is_abandoned());
    let sent = link.connection.publish(&channel, body, left(deadline), ready).await;
    drop(permit);
    if sent.is_ok() {
        link.context.env.told_sent(&address);
    }
    reply.send(sent.map(Some).map_err(Into::into));
}

/// Publishes a call. The waiter knows of it from the moment at which its turn has come: before, the loss of a connection
/// is no reason to fail it.
pub(super) async fn call(link: Rc<Link>, call: Call) {
    let Call { signal, sender, id, body, deadline, mode, permit } = call;
    let channel = signal_channel(&link.context.env.prefix, &signal, &sender, Some(&id));
    let mut expect = Some(Expect { id: id.clone(), signal: signal.clone(), deadline, mode, permit });
    let sent = link
        .connection
        .publish(&channel, body, left(deadline), |waited| {
            // The second time its first connection has died, and the waiter has failed it.
            let Some(expected) = expect.take_if(|expect| !(waited && is_abandoned(&expect.mode))) else { return false };
            link.waiter.put(expected);
            true
        })
        .await;
    let signal = signal.to_string();
    let error = match sent {
        Ok(0) => CallError::NobodyListening { signal },
        // An answer may still come. If not, the loss of the connection or the deadline ends the call.
        Ok(_) | Err(CommandError::Unknown(_)) => return,
        Err(error) => CallError::NotSent { signal, source: error.into() },
    };
    match expect.map(|expect| expect.mode) {
        None => link.waiter.put(Fail { id, error }),
        Some(CallMode::First(reply)) => reply.send(Err(error)),
        Some(CallMode::All(stream)) => drop(stream.try_send(Err(error))),
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
