use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{DeadReason, Failure};

use super::delivery_state::DeliveryState;
use super::extract::{Extract, Metadata, Needs};
use super::invocation::Invocation;
use crate::contract::Outcome;
use crate::error::Error;

/// The delivery that a consumer handles: its id, its attempt, and a way to settle it by hand.
///
/// A handler that does not settle it leaves that to its result: `Ok` acknowledges, an error retries. Settling takes the
/// delivery, so it cannot be done twice.
///
/// ```compile_fail
/// fn twice(delivery: formicary_actors::agent::Delivery) {
///     delivery.ack();
///     delivery.ack();
/// }
/// ```
pub struct Delivery {
    state: Arc<DeliveryState>,
}

impl Delivery {
    pub(crate) fn of(state: Arc<DeliveryState>) -> Self {
        Self { state }
    }

    /// The message's id. On a plain Redis list it gets one when it is first taken.
    pub fn id(&self) -> &str {
        &self.state.delivered.id
    }

    /// The number of this attempt; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.state.delivered.attempt
    }

    /// When the message was first delivered, in milliseconds since the Unix epoch.
    pub fn first_seen_ms(&self) -> u64 {
        self.state.delivered.first_seen_ms
    }

    /// What went wrong at earlier attempts, the oldest first.
    pub fn history(&self) -> &[Failure] {
        &self.state.delivered.history
    }

    /// What the broker itself says of the delivery.
    pub fn metadata(&self) -> Metadata {
        Metadata::of(&self.state.delivered.metadata)
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.state.source.queue
    }

    /// Acknowledges now; what the handler returns later changes nothing.
    pub fn ack(self) {
        self.state.settle(Outcome::Ack, None);
    }

    /// Brings the message back after a delay, with the next attempt number. It counts as an attempt: what is brought back
    /// after the last one ([`Retry::attempts`](crate::Retry::attempts), 5 by default) is given up when it comes, without
    /// another run of the handler. The message's history says that its handler brought it back.
    pub fn retry(self, after: Duration) {
        let failure = self.state.source.failure("brought back by its handler");
        self.state.settle(Outcome::Retry { after }, Some(failure));
    }

    /// Puts the message into the dead-letter queue, with the reason `refused`. Its history says that its handler did.
    pub fn dead(self) {
        let failure = self.state.source.failure("put aside by its handler");
        self.state.settle(Outcome::Dead { reason: DeadReason::Refused }, Some(failure));
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let delivered = &self.state.delivered;
        f.debug_struct("Delivery")
            .field("id", &delivered.id)
            .field("attempt", &delivered.attempt)
            .finish_non_exhaustive()
    }
}

impl Extract for Delivery {
    fn needs(needs: &mut Needs) {
        needs.deliveries += 1;
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        match &invocation.delivery {
            Some(state) => Ok(Self { state: state.clone() }),
            None => {
                Err(Error::Settings(format!("`{}` has no delivery: `Delivery` is for consumers", invocation.handler())))
            }
        }
    }
}
