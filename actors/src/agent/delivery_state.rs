//! One delivery from when it is taken until it is settled, and what is held until then.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use formicary_protocol::Failure;

use super::after_ack::AfterAck;
use super::instance::guarded_now;
use crate::broker::Broker;
use crate::contract::{ConsumerId, Delivered, Outcome, Outgoing, Pending, Seen, SettleError, Settlement};

/// Where the deliveries of one consumer come from, and go.
pub(crate) struct Source {
    pub(crate) queue: Arc<str>,
    pub(crate) broker: Broker,
    pub(crate) consumer: ConsumerId,
    /// How often a message is tried.
    pub(crate) attempts: NonZeroU32,
}

/// One delivery and whether it is settled.
pub(crate) struct DeliveryState {
    pub(crate) delivered: Delivered,
    pub(crate) source: Arc<Source>,
    held: Mutex<Held>,
}

/// What waits for the settlement.
#[derive(Default)]
struct Held {
    settled: bool,
    /// Sent with the acknowledgement.
    outbox: Vec<Outgoing>,
    /// Remembered with the acknowledgement.
    seen: Option<Seen>,
    /// Runs after the acknowledgement.
    after: Vec<AfterAck>,
    /// Whether the acknowledgement was applied, for what comes after it.
    applied: Option<Pending<Result<(), SettleError>>>,
    /// What the delivery has come to already, while a last handler still looks at it: it does not go back any more.
    fate: Option<(Outcome, Option<Failure>)>,
}

/// What is left to be done when a delivery is acknowledged.
pub(crate) struct Afterwards {
    pub(crate) applied: Pending<Result<(), SettleError>>,
    pub(crate) work: Vec<AfterAck>,
}

impl DeliveryState {
    pub(crate) fn new(delivered: Delivered, source: Arc<Source>) -> Self {
        Self { delivered, source, held: Mutex::default() }
    }

    /// The settlement, the first time it is asked for. What is held goes with an acknowledgement of what was handled,
    /// and is dropped with everything else.
    pub(crate) fn settlement(&self, outcome: Outcome, failure: Option<Failure>) -> Option<Settlement> {
        let mut held = self.held();
        if std::mem::replace(&mut held.settled, true) {
            return None;
        }
        let mut settlement = Settlement::new(self.delivered.token, outcome).failed(failure);
        if settlement.outcome == Outcome::Ack && settlement.failure.is_none() {
            settlement.outbox = std::mem::take(&mut held.outbox);
            settlement.seen = held.seen.take();
            return Some(settlement);
        }
        let (outbox, after) = (std::mem::take(&mut held.outbox), std::mem::take(&mut held.after));
        drop((held, outbox));
        // Futures of the user's, whose drop may do anything but under our lock.
        drop(guarded_now(|| drop(after)));
        Some(settlement)
    }

    /// Settles the delivery, if it is not yet.
    pub(crate) fn settle(&self, outcome: Outcome, failure: Option<Failure>) {
        let Some(settlement) = self.settlement(outcome, failure) else { return };
        let Source { broker, consumer, .. } = &*self.source;
        let mut held = self.held();
        if held.after.is_empty() && settlement.seen.is_none() {
            drop(held);
            broker.settle(*consumer, settlement);
        } else {
            held.applied = Some(broker.settle_heard(*consumer, settlement));
        }
    }

    /// Notes what the delivery has come to before it is settled so: if nobody comes to that, it is settled so all the same.
    pub(crate) fn is_doomed_to(&self, outcome: Outcome, failure: Option<Failure>) {
        self.held().fate = Some((outcome, failure));
    }

    /// The settlement of a delivery that nobody settled: it goes back, unless it has come to something.
    pub(crate) fn leftover(&self) -> Option<Settlement> {
        let (outcome, failure) = self.held().fate.take().unwrap_or((Outcome::Return, None));
        self.settlement(outcome, failure)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.held().settled
    }

    /// What is to be done after the acknowledgement. Nothing, when there was none or nobody asked for it.
    pub(crate) fn afterwards(&self) -> Option<Afterwards> {
        let mut held = self.held();
        let applied = held.applied.take()?;
        Some(Afterwards { applied, work: std::mem::take(&mut held.after) })
    }

    /// Remembers a key with the acknowledgement.
    pub(crate) fn remember(&self, seen: Seen) {
        self.held().seen = Some(seen);
    }

    /// Adds to what is sent with the acknowledgement, up to a bound. `Err`: why not.
    pub(crate) fn hold_outgoing(&self, outgoing: Outgoing, most: usize) -> Result<(), Refused> {
        let mut held = self.held();
        match () {
            () if held.settled => Err(Refused::Settled),
            () if held.outbox.len() >= most => Err(Refused::Full),
            () => {
                held.outbox.push(outgoing);
                Ok(())
            }
        }
    }

    /// Adds to what runs after the acknowledgement, up to a bound. `Err`: why not.
    pub(crate) fn hold_after(&self, work: AfterAck, most: usize) -> Result<(), Refused> {
        let mut held = self.held();
        match () {
            () if held.settled => Err(Refused::Settled),
            () if held.after.len() >= most => Err(Refused::Full),
            () => {
                held.after.push(work);
                Ok(())
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why something cannot be held until the settlement.
pub(crate) enum Refused {
    /// The delivery is settled already.
    Settled,
    /// As much is held as may be.
    Full,
}
