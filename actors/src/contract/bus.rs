use std::sync::Arc;

use actix::Message;
use formicary_protocol::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Description, Permit, Reply, SignalInlet};
use crate::error::{CallError, Error, SendError};

/// What a published body is: a signal, or one of the two halves of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A signal from a sender.
    Signal {
        /// The signal's name.
        signal: Arc<str>,
        /// The sender's name.
        sender: Arc<str>,
    },
    /// The answer to a call.
    Answer {
        /// The uid of the agent instance that answers.
        responder: Arc<str>,
        /// The id of the call.
        call: Arc<str>,
    },
    /// The errors that belong to an answer; sent before it.
    AnswerError {
        /// The uid of the agent instance that answers.
        responder: Arc<str>,
        /// The id of the call.
        call: Arc<str>,
    },
}

/// Publishes a body. Replies with the number of receivers where the adapter knows it.
///
/// An adapter that cannot reach its server waits for it until `deadline`, then fails; it never publishes later.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Publish {
    /// What is published.
    pub address: Address,
    /// The encoded body.
    pub body: Bytes,
    /// When the sender gives up.
    pub deadline: Instant,
    /// The outcome.
    pub reply: Reply<Result<Option<u64>, SendError>>,
    /// Held until the reply: bounds what waits in the adapter. `None` for answers, which the inboxes bound.
    pub permit: Option<Permit>,
}

/// The answers of one agent instance to a call.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The uid of the agent instance, or of the Python bus, that answered.
    pub responder: Arc<str>,
    /// The body of the answer.
    pub body: Bytes,
    /// The body of the errors that came before it, if any did.
    pub failures: Option<Bytes>,
}

/// Where the answers of a call go.
#[derive(Debug)]
pub enum CallMode {
    /// To one asker, who takes the first.
    First(Reply<Result<Answers, CallError>>),
    /// To a stream, until the deadline. The channel's capacity bounds what waits.
    All(mpsc::Sender<Result<Answers, CallError>>),
}

/// Calls: registers the id with the waiter, then publishes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Call {
    /// The signal's name.
    pub signal: Arc<str>,
    /// The sender's name.
    pub sender: Arc<str>,
    /// The correlation id of the call.
    pub id: Arc<str>,
    /// The encoded arguments.
    pub body: Bytes,
    /// When the caller gives up.
    pub deadline: Instant,
    /// Where the answers go.
    pub mode: CallMode,
    /// Held until the call ends.
    pub permit: Option<Permit>,
}

/// Names a subscription, so that it can be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u64);

/// Subscribes to a signal. The reply comes when the subscription is live.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    /// The id for [`Unsubscribe`].
    pub id: SubscriptionId,
    /// The signal's name.
    pub signal: Arc<str>,
    /// Where what arrives is put.
    pub inlet: Arc<dyn SignalInlet>,
    /// Live, or why not.
    pub reply: Reply<Result<(), Error>>,
}

impl std::fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscribe").field("id", &self.id).field("signal", &self.signal).finish_non_exhaustive()
    }
}

/// Ends a subscription. Nothing is put into its inlet after the reply.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unsubscribe {
    /// The subscription.
    pub id: SubscriptionId,
    /// Done.
    pub reply: Reply<()>,
}

/// Asks a bus what it is and can do.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DescribeBus(pub Reply<Description>);

/// Closes a bus: what was accepted is carried out until the deadline, later messages fail. Closing twice is fine.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloseBus {
    /// Until when accepted work may still go out.
    pub deadline: Instant,
    /// Done.
    pub reply: Reply<()>,
}
