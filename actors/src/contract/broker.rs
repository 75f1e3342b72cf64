use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use formicary_protocol::{Bytes, DeadLetter, Failure};
use tokio::time::Instant;

use super::{DeliveryInlet, Description, Outcome, Permit, Reply, Token};
use crate::error::{Error, SendError};

/// What a sender may ask for beside the body. An adapter refuses what its [`super::Capabilities`] lack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendOptions {
    /// How long the message stays invisible.
    pub delay: Option<Duration>,
    /// The key by which the message is ordered or partitioned.
    pub key: Option<String>,
    /// Headers beside the body.
    pub headers: Vec<(String, String)>,
    /// How long the message is worth delivering.
    pub expires: Option<Duration>,
    /// The message's id, if the sender gives it one.
    pub id: Option<String>,
}

impl SendOptions {
    /// The name of the first option that is set, if one is.
    pub fn first_set(&self) -> Option<&'static str> {
        [
            ("delay", self.delay.is_some()),
            ("key", self.key.is_some()),
            ("headers", !self.headers.is_empty()),
            ("expires", self.expires.is_some()),
            ("id", self.id.is_some()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }
}

/// One message on its way to a queue.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The queue's name.
    pub queue: Arc<str>,
    /// The encoded body.
    pub body: Bytes,
    /// What else was asked for.
    pub options: SendOptions,
}

/// Sends a batch: all of it is accepted by the broker, or the error says which of the two other things happened.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Send {
    /// The messages, in order.
    pub batch: Vec<Outgoing>,
    /// When the sender gives up.
    pub deadline: Instant,
    /// The outcome.
    pub reply: Reply<Result<(), SendError>>,
    /// Held until the reply: bounds what waits in the adapter.
    pub permit: Option<Permit>,
}

/// Names a consumer within its broker adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerId(pub u64);

/// Begins to consume a queue.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Consume {
    /// The id for [`Settle`] and [`Cancel`].
    pub id: ConsumerId,
    /// The queue's name.
    pub queue: Arc<str>,
    /// How many deliveries may be unsettled at once; the adapter takes no more than that from the server.
    pub credit: std::num::NonZeroUsize,
    /// Who consumes, for logs: agent and handler.
    pub consumer: Arc<str>,
    /// Where deliveries are put.
    pub inlet: Arc<dyn DeliveryInlet>,
    /// Consuming, or why not.
    pub reply: Reply<Result<(), Error>>,
}

impl std::fmt::Debug for Consume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consume").field("id", &self.id).field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// What became of one delivery.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which delivery.
    pub token: Token,
    /// One of the four outcomes.
    pub outcome: Outcome,
    /// What went wrong, kept in the message's history.
    pub failure: Option<Failure>,
    /// Messages that are sent in the same atomic step. An adapter without that capability refuses the batch.
    pub outbox: Vec<Outgoing>,
}

/// Settles a batch. The adapter keeps it until applied, through outages, and holds the credit until then.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Settle {
    /// Whose deliveries.
    pub consumer: ConsumerId,
    /// What became of them.
    pub batch: Vec<Settlement>,
    /// Told when the batch is applied; errors name the tokens that were refused.
    pub reply: Option<Reply<Result<(), super::SettleError>>>,
}

/// Ends a consumer's intake. Deliveries that are out may still be settled; nothing more is put into the inlet after
/// the reply.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Cancel {
    /// The consumer.
    pub id: ConsumerId,
    /// Done.
    pub reply: Reply<()>,
}

/// What a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were delivered and are not settled, of all consumers that the adapter can see.
    pub in_flight: u64,
    /// Messages that wait for the end of a delay.
    pub delayed: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Counts {
    /// Counts from their parts.
    pub fn new(waiting: u64, in_flight: u64, delayed: u64, dead: u64) -> Self {
        Self { waiting, in_flight, delayed, dead }
    }

    /// What is still to be handled: waiting, in flight and delayed.
    pub fn left(&self) -> u64 {
        self.waiting + self.in_flight + self.delayed
    }
}

/// Asks for the counts of a queue.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Inspect {
    /// The queue's name.
    pub queue: Arc<str>,
    /// When the asker gives up.
    pub deadline: Instant,
    /// The counts.
    pub reply: Reply<Result<Counts, Error>>,
}

/// What to do with dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadRequest {
    /// Read the oldest, at most so many, and leave them.
    Peek(usize),
    /// Put them back into their queue, oldest first, at most so many.
    Replay(usize),
    /// Delete all.
    Purge,
}

/// Looks at, replays or purges the dead letters of a queue. Replies with the letters concerned.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Dead {
    /// The queue's name.
    pub queue: Arc<str>,
    /// What to do.
    pub request: DeadRequest,
    /// When the asker gives up.
    pub deadline: Instant,
    /// The letters concerned.
    pub reply: Reply<Result<Vec<DeadLetter>, Error>>,
}

/// Asks a broker what it is and can do.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DescribeBroker(pub Reply<Description>);

/// Closes a broker: settlements and sends that were accepted are carried out until the deadline, then given up and
/// logged. Closing twice is fine.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloseBroker {
    /// Until when accepted work may still go out.
    pub deadline: Instant,
    /// Done.
    pub reply: Reply<()>,
}
