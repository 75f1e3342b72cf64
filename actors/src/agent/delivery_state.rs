//! One delivery from when it is taken until it is settled, and what is held until then.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formicary_protocol::{Bytes, DeadReason, Failure};

use super::after_ack::AfterAck;
use super::instance::guarded_now;
use crate::broker::Broker;
use crate::contract::{ConsumerId, Delivered, Outcome, Outgoing, Pending, Seen, SettleError, Settlement};
use crate::error::HandlerError;
use crate::events::{Event, EventKind};

/// Where the deliveries of one consumer come from, and go.
pub(crate) struct Source {
    pub(crate) queue: Arc<str>,
    pub(crate) broker: Broker,
    pub(crate) consumer: ConsumerId,
    /// Agent and handler.
    pub(crate) name: Arc<str>,
    pub(crate) agent: Arc<str>,
    pub(crate) handler: Arc<str>,
    /// How often a message is tried.
    pub(crate) attempts: NonZeroU32,
    /// Whether what is given up becomes a dead letter.
    pub(crate) dead_letter: bool,
    /// Whether the agent has a handler of `on_exhausted` for the queue.
    pub(crate) is_looked_at: bool,
}

impl Source {
    /// What the history of a message says of the consumer's handler.
    pub(crate) fn failure(&self, error: &str) -> Failure {
        Failure::new(self.broker.env().clock.now_ms(), &self.agent, &self.handler, error)
    }
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
    /// The message is given up: it does not go back any more.
    given_up: bool,
    /// Why, while somebody still looks at it.
    end: Option<End>,
    /// The handler of `on_exhausted` has begun.
    is_seen: bool,
}

/// Why a message is given up.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) reason: DeadReason,
    pub(crate) failure: Option<Failure>,
    pub(crate) error: Arc<HandlerError>,
}

/// What is left to be done when a delivery is acknowledged.
pub(crate) struct Afterwards {
    pub(crate) applied: Pending<Result<(), SettleError>>,
    pub(crate) work: Vec<AfterAck>,
}

/// Why something cannot be held until the settlement.
pub(crate) enum Refused {
    /// The delivery is settled already.
    Settled,
    /// As much is held as may be.
    Full,
}

impl DeliveryState {
    pub(crate) fn new(delivered: Delivered, source: Arc<Source>) -> Self {
        Self { delivered, source, held: Mutex::default() }
    }

    /// The same for another delivery of the same consumer, when this one is done with.
    pub(crate) fn renew(&mut self, delivered: Delivered) {
        self.delivered = delivered;
        *self.held.get_mut().unwrap_or_else(PoisonError::into_inner) = Held::default();
    }

    /// Lets go of what takes room.
    pub(crate) fn shed(&mut self) {
        self.delivered.body = Bytes::new();
        self.delivered.history = Arc::default();
    }

    /// The settlement, the first time it is asked for. What is held goes with the acknowledgement of what was handled,
    /// and is dropped with everything else.
    pub(crate) fn settlement(&self, outcome: Outcome, failure: Option<Failure>) -> Option<Settlement> {
        let held = self.held();
        // Only what gives it up still settles it.
        if held.given_up { None } else { self.conclude(held, outcome, failure) }
    }

    fn conclude(
        &self,
        mut held: MutexGuard<'_, Held>,
        outcome: Outcome,
        failure: Option<Failure>,
    ) -> Option<Settlement> {
        if std::mem::replace(&mut held.settled, true) {
            return None;
        }
        let is_given_up = held.given_up;
        let mut settlement = Settlement::new(self.delivered.token, outcome).failed(failure);
        if settlement.outcome == Outcome::Ack && !is_given_up {
            settlement.outbox = std::mem::take(&mut held.outbox);
            settlement.seen = held.seen.take();
            return Some(settlement);
        }
        let (outbox, after) = (std::mem::take(&mut held.outbox), std::mem::take(&mut held.after));
        drop((held, outbox));
        drop_users(after);
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

    /// Gives the message up: from now on, whatever happens, it does not go back.
    pub(crate) fn give_up(&self, end: End) {
        let mut held = self.held();
        held.given_up = true;
        held.end = Some(end);
    }

    /// Why the message is given up, if it is.
    pub(crate) fn end(&self) -> Option<End> {
        self.held().end.clone()
    }

    /// The handler of `on_exhausted` begins: from now on the message does not come back for it.
    pub(crate) fn see(&self) {
        self.held().is_seen = true;
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.held().given_up
    }

    /// The settlement of a delivery that nobody else settles: it goes back, unless it is given up.
    pub(crate) fn leftover(&self) -> Option<Settlement> {
        let (end, is_seen) = {
            let mut held = self.held();
            (held.end.take(), held.is_seen)
        };
        let Some(End { reason, failure, .. }) = end else { return self.settlement(Outcome::Return, None) };
        let Source { queue, broker, name, dead_letter, is_looked_at, .. } = &*self.source;
        if *is_looked_at && !is_seen {
            // The next process gives it up, and its handler of `on_exhausted` has it then.
            return self.conclude(self.held(), Outcome::Retry { after: Duration::ZERO }, failure);
        }
        if *dead_letter {
            return self.conclude(self.held(), Outcome::Dead { reason }, failure);
        }
        let discarded = self.conclude(self.held(), Outcome::Ack, failure)?;
        broker
            .env()
            .events
            .emit(EventKind::Discarded, || Event::Discarded { queue: queue.clone(), consumer: name.clone() });
        Some(discarded)
    }

    /// Settles a delivery that is given up.
    pub(crate) fn settle_given_up(&self) {
        if let Some(settlement) = self.leftover() {
            self.source.broker.settle(self.source.consumer, settlement);
        }
    }

    /// Takes the delivery out of the hand that has it: whoever takes it settles it.
    pub(crate) fn withdraw(&self) -> Option<Delivered> {
        let mut held = self.held();
        if std::mem::replace(&mut held.settled, true) {
            return None;
        }
        let after = std::mem::take(&mut held.after);
        drop(held);
        drop_users(after);
        Some(self.delivered.clone())
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

    /// Adds to what is sent with the acknowledgement, up to a bound.
    pub(crate) fn hold_outgoing(&self, outgoing: Outgoing, most: usize) -> Result<(), Refused> {
        self.hold(|held| &mut held.outbox, outgoing, most)
    }

    /// Adds to what runs after the acknowledgement, up to a bound.
    pub(crate) fn hold_after(&self, work: AfterAck, most: usize) -> Result<(), Refused> {
        self.hold(|held| &mut held.after, work, most)
    }

    fn hold<T>(&self, place: impl FnOnce(&mut Held) -> &mut Vec<T>, item: T, most: usize) -> Result<(), Refused> {
        let mut held = self.held();
        if held.settled || held.given_up {
            return Err(Refused::Settled);
        }
        let place = place(&mut held);
        if place.len() >= most {
            return Err(Refused::Full);
        }
        place.push(item);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Futures of the user's may do anything when they are dropped: panic, too, and never under our lock.
pub(crate) fn drop_users(work: Vec<AfterAck>) {
    // A panic of it has been told by the hook, and there is nothing left to end.
    guarded_now(|| drop(work)).ok();
}
