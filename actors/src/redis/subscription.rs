//! Patterns that survive a reconnect, and the messages that arrive on them.

use super::{CommandError, ConnectError, Connection, link::BARRIER};
use crate::connection::OUT_OF_STEP;
use bytes::Bytes;
use fred::{
    clients::{Client, WithOptions},
    error::Error as FredError,
    interfaces::{ClientLike, PubsubInterface},
    types::{Message, Value},
};
use futures_util::future::join;
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

/// Bodies up to this size are copied out of the read buffer, so that a small one kept for long does not keep a large
/// buffer with it.
const COPIED: usize = 64 * 1024;

/// How many messages are handed over before other tasks get a turn.
const BURST: usize = 4096;

/// What a subscribed connection hands to its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming<'a> {
    /// One message. The driver does not say which pattern it matched: patterns that overlap deliver it twice.
    Message {
        /// The channel it was published to.
        channel: &'a str,
        /// The bytes as they were published.
        body: Bytes,
    },
    /// This many messages overflowed the buffer since the last one and are lost.
    Lost(u64),
}

/// Who gets what arrives.
pub type Receiver = Box<dyn FnMut(Incoming<'_>)>;

pub(super) type Sink = RefCell<Receiver>;

/// Hands messages to the sink until the connection ends; never returns before.
pub(super) async fn drain(messages: &mut broadcast::Receiver<Message>, sink: &Sink, activity: &Cell<u64>) {
    let mut next = Err(TryRecvError::Empty);
    loop {
        // The driver reads some ten thousand messages in one go; `recv` alone would yield after 128 of them, and the
        // buffer overflow before our next turn.
        for _ in 0..BURST {
            match next {
                Ok(Message { channel, value, .. }) => {
                    (sink.borrow_mut())(Incoming::Message { channel: &channel, body: body(value) });
                }
                Err(TryRecvError::Lagged(count)) => (sink.borrow_mut())(Incoming::Lost(count)),
                Err(_) => break,
            }
            activity.set(activity.get() + 1);
            next = messages.try_recv();
        }
        match next {
            Err(TryRecvError::Empty) => {
                next = messages.recv().await.map_err(|error| match error {
                    RecvError::Lagged(count) => TryRecvError::Lagged(count),
                    RecvError::Closed => TryRecvError::Closed,
                });
            }
            Err(TryRecvError::Closed) => return std::future::pending().await,
            _ => tokio::task::yield_now().await,
        }
    }
}

fn body(value: Value) -> Bytes {
    let bytes = match value {
        Value::String(text) => text.into_inner(),
        Value::Bytes(bytes) => bytes,
        // A message's body is a bulk string in every version of the protocol.
        _ => Bytes::new(),
    };
    if bytes.len() <= COPIED { Bytes::copy_from_slice(&bytes) } else { bytes }
}

impl Connection {
    /// Has a pattern subscribed by the next connection and all later ones. For what must be live before anything is.
    pub fn keep(&self, pattern: &str) {
        self.shared.patterns.borrow_mut().insert(pattern.to_owned());
    }

    /// Subscribes to a pattern and keeps it over reconnects. Returns when the server has it; while the connection is
    /// down, when it is back or `within` is over. On an error the pattern is still kept, unless the server refused it:
    /// [`forget`](Self::forget) it, or try again.
    pub async fn subscribe(&self, pattern: &str, within: Duration) -> Result<(), CommandError> {
        // Before the command: a connection that comes up meanwhile takes it along. Twice the same does no harm.
        self.keep(pattern);
        let result = self.change(within, async |client| client.psubscribe(pattern).await).await;
        if let Err(CommandError::Refused { .. }) = &result {
            self.forget(pattern);
        }
        result
    }

    /// Gives a pattern up for later connections. The present one may still be subscribed to it.
    pub fn forget(&self, pattern: &str) {
        self.shared.patterns.borrow_mut().remove(pattern);
    }

    /// Gives a pattern up, now and for later connections.
    pub async fn unsubscribe(&self, pattern: &str, within: Duration) -> Result<(), CommandError> {
        self.forget(pattern);
        // On a connection that was away, this may come behind a new subscription to the same.
        let is_kept = || self.shared.patterns.borrow().contains(pattern);
        self.change(within, async |client| if is_kept() { Ok(()) } else { client.punsubscribe(pattern).await }).await
    }

    // The driver answers a subscription before it has written it, and does not expect an error: it would hand it to the
    // next command, or drop it if there is none. So a ping goes out in the same breath, which gets that error.
    async fn change(
        &self,
        within: Duration,
        send: impl AsyncFn(&WithOptions<Client>) -> Result<(), FredError>,
    ) -> Result<(), CommandError> {
        let pong: Result<String, _> = self
            .call(within, async |client| {
                // Not `try_join`: both must be polled in this order, and the ping to its end.
                let (sent, pong) = join(send(&client), client.ping(Some(BARRIER.to_owned()))).await;
                sent.and(pong)
            })
            .await;
        let reason = match pong {
            Ok(text) if text == BARRIER => return Ok(()),
            Ok(_) => CommandError::Unknown(OUT_OF_STEP.to_owned()),
            Err(CommandError::Refused { code, message }) => CommandError::Refused { code, message },
            Err(other) => return Err(other),
        };
        // From here on every answer would go to the wrong command.
        self.shared.break_link(ConnectError::Refused(reason.to_string()));
        Err(reason)
    }
}
