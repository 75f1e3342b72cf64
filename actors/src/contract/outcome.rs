use std::time::Duration;

use formicary_protocol::DeadReason;

use super::Token;

/// What becomes of a delivery. There are exactly these four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: the broker forgets it.
    Ack,
    /// Failed: it comes back after a delay, with the next attempt number.
    Retry {
        /// The delay, kept at the broker.
        after: Duration,
    },
    /// Failed for good: it goes to the dead-letter queue.
    Dead {
        /// Why.
        reason: DeadReason,
    },
    /// Not handled: it goes back to the head of its queue, untouched and uncounted.
    Return,
}

impl Outcome {
    /// The outcome's word in logs and events.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Retry { .. } => "retry",
            Self::Dead { .. } => "dead",
            Self::Return => "return",
        }
    }
}

/// Why a settlement was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The deliveries are not ours any more: the lease was lost, or somebody removed them at the broker.
    #[error("{} settlements came too late: the broker has given the messages to another consumer", .0.len())]
    Late(Vec<Token>),
    /// The settlements carry messages to send with them, which this adapter cannot. Nothing was applied.
    #[error("this broker cannot send messages together with a settlement: none of the batch was applied")]
    NoOutbox,
    /// The broker was closed before it could apply them; the messages will be delivered again.
    #[error("the broker was closed before {0} settlements could be applied; the messages will be delivered again")]
    Closed(usize),
}
