use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use formicary_protocol::{Bytes, DeadLetter, Failure};
use tokio::time::Instant;

use super::{Counts, DeliveryInlet, Description, Letters, Outcome, Permit, Reply, Settlements, Token};
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
    /// The topic with which the message goes to the exchange of its queue: every queue whose `topics` match it gets it.
    /// Without one the queue's name is the topic.
    pub topic: Option<String>,
}

impl SendOptions {
    /// The name of the first option that is set, if one is.
    pub fn first_set(&self) -> Option<&'static str> {
        self.all_set().next()
    }

    /// The names of the options that are set.
    pub fn all_set(&self) -> impl Iterator<Item = &'static str> {
        [
            ("delay", self.delay.is_some()),
            ("key", self.key.is_some()),
            ("headers", !self.headers.is_empty()),
            ("expires", self.expires.is_some()),
            ("id", self.id.is_some()),
            ("topic", self.topic.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
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

/// Makes sure that a queue is at the server as it is declared, with its exchange and bindings. An agent that starts asks
/// for each queue that it consumes or sends to. Where queues come into being by themselves there is nothing to do.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Declare {
    /// The queue's name.
    pub queue: Arc<str>,
    /// When the asker gives up.
    pub deadline: Instant,
    /// It is there, or why not: it is there otherwise than declared, the server refuses, or cannot be reached.
    pub reply: Reply<Result<(), Error>>,
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
    /// Queues to which messages may be sent together with an acknowledgement ([`Settlement::outbox`]). An adapter that
    /// cannot, for one of them, refuses the consumer.
    pub outbox: Arc<[Arc<str>]>,
    /// How keys of messages are remembered, if they are ([`Settlement::seen`]). An adapter that cannot refuses the
    /// consumer.
    pub dedup: Option<DedupBy>,
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

/// What tells two messages to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DedupBy {
    /// The id that the sender gave: for adapters whose messages have one (see
    /// [`Capabilities::headers`](super::Capabilities)).
    Id,
    /// A key that the consumer reads from the message.
    Key,
}

/// A key that is remembered from an acknowledgement on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What tells two messages to be the same.
    pub key: Arc<str>,
    /// How long it is remembered.
    pub window: Duration,
}

/// What became of one delivery.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settlement {
    /// Which delivery.
    pub token: Token,
    /// One of the four outcomes.
    pub outcome: Outcome,
    /// What went wrong, kept in the message's history.
    pub failure: Option<Failure>,
    /// Messages that are sent in the same atomic step as an `Ack`, and only if it is applied. An adapter without that
    /// capability refuses the batch.
    pub outbox: Vec<Outgoing>,
    /// A key that is remembered in the same atomic step as an `Ack`. When it is remembered already, the message is
    /// acknowledged and its outbox is not sent: another one like it was first.
    pub seen: Option<Seen>,
}

impl Settlement {
    /// An outcome and nothing else.
    pub fn new(token: Token, outcome: Outcome) -> Self {
        Self { token, outcome, failure: None, outbox: Vec::new(), seen: None }
    }

    /// The same with what went wrong.
    #[must_use]
    pub fn failed(mut self, failure: Option<Failure>) -> Self {
        self.failure = failure;
        self
    }
}

/// Settles deliveries. The adapter keeps what is to be settled until it is applied, through outages, and holds the credit
/// until then.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Settle {
    /// Whose deliveries.
    pub consumer: ConsumerId,
    /// What became of them.
    pub batch: Settlements,
    /// Told when the batch is applied; errors name the tokens that were refused.
    pub reply: Option<Reply<Result<(), super::SettleError>>>,
}

/// Asks which keys are remembered ([`Settlement::seen`]) in a consumer's queue.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct WasSeen {
    /// The consumer.
    pub consumer: ConsumerId,
    /// The keys.
    pub keys: Vec<Arc<str>>,
    /// When the asker gives up.
    pub deadline: Instant,
    /// One answer for each key.
    pub reply: Reply<Result<Vec<bool>, Error>>,
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
    /// Read them and leave them.
    Peek,
    /// Put them back into their queue, oldest first, their attempts counted anew and their history kept.
    Replay,
    /// Delete them.
    Purge,
}

/// The dead letters that something was done with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerned {
    /// How many.
    pub count: u64,
    /// Themselves, the oldest first, when they were asked for: by [`DeadRequest::Peek`].
    pub letters: Vec<DeadLetter>,
}

/// Looks at, replays or purges the dead letters of a queue.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Dead {
    /// The queue's name.
    pub queue: Arc<str>,
    /// What to do.
    pub request: DeadRequest,
    /// With which of them.
    pub which: Letters,
    /// When the asker gives up.
    pub deadline: Instant,
    /// What it was done with.
    pub reply: Reply<Result<Concerned, Error>>,
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
