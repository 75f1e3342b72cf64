use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use formicary_protocol::Failure;
use lapin::BasicProperties;
use tokio::sync::Notify;

use super::acks::Ready;
use super::copies::Stuck;
use super::metadata::Last;
use crate::broker::leaving::Leaving;
use crate::contract::{Consume, Delivered, DeliveryInlet, Token};

/// One consumer of a queue: what it holds, and what is still to be told to the server.
pub(super) struct Consumer {
    pub(super) queue: Arc<str>,
    /// Agent and handler, for logs and events.
    pub(super) name: Arc<str>,
    /// Queues to which messages may be sent with an acknowledgement.
    pub(super) outbox: Arc<[Arc<str>]>,
    pub(super) inlet: Arc<dyn DeliveryInlet>,
    /// What nobody has settled, or what is being copied to its next place.
    pub(super) held: RefCell<BTreeMap<Token, Held>>,
    /// What is settled and not yet told to the server.
    pub(super) ready: RefCell<Ready>,
    /// Copies that the server refused, until they are tried again.
    pub(super) stuck: RefCell<Stuck>,
    /// There is something new for the task of this consumer: a settlement, the end of the intake.
    pub(super) changed: Notify,
    pub(super) metadata: Last,
    pub(super) no_history: Arc<[Failure]>,
    credit: u16,
    /// What came on channels before has tokens up to this.
    before: Cell<u64>,
    /// The last token.
    last: Cell<u64>,
    cancelled: Cell<bool>,
    pub(super) leaving: Leaving,
}

/// A message that was delivered.
pub(super) struct Held {
    pub(super) delivered: Delivered,
    pub(super) properties: BasicProperties,
    /// It is settled, and being copied to its next place.
    pub(super) is_settled: bool,
}

impl Consumer {
    pub(super) fn new(consume: &Consume) -> Self {
        Self {
            queue: consume.queue.clone(),
            name: consume.consumer.clone(),
            outbox: consume.outbox.clone(),
            inlet: consume.inlet.clone(),
            held: RefCell::default(),
            ready: RefCell::default(),
            stuck: RefCell::default(),
            changed: Notify::new(),
            metadata: Last::default(),
            no_history: Arc::default(),
            // The protocol counts no further, and 0 would mean no bound.
            credit: u16::try_from(consume.credit.get()).unwrap_or(u16::MAX),
            before: Cell::default(),
            last: Cell::default(),
            cancelled: Cell::default(),
            leaving: Leaving::new(),
        }
    }

    pub(super) fn credit(&self) -> u16 {
        self.credit
    }

    /// The token of a delivery of the channel of now.
    pub(super) fn token(&self, tag: u64) -> Token {
        Token(self.before.get() + tag)
    }

    /// The number that the channel of now has for it.
    pub(super) fn tag(&self, token: Token) -> u64 {
        token.0.saturating_sub(self.before.get())
    }

    /// The number that the next delivery has: a channel with one consumer counts them without a gap.
    pub(super) fn next_tag(&self) -> u64 {
        self.last.get() - self.before.get() + 1
    }

    pub(super) fn hold(&self, delivered: Delivered, properties: BasicProperties) {
        self.last.set(delivered.token.0);
        self.held.borrow_mut().insert(delivered.token, Held { delivered, properties, is_settled: false });
    }

    pub(super) fn holds(&self, token: Token) -> bool {
        self.held.borrow().contains_key(&token)
    }

    /// How many are in hand.
    pub(super) fn in_flight(&self) -> usize {
        self.held.borrow().len() + self.ready.borrow().len()
    }

    /// The channel has ended: what came on it is the server's again. Returns how many of them were settled.
    pub(super) fn lose_all(&self) -> usize {
        self.before.set(self.last.get());
        self.held.take().into_values().filter(|held| held.is_settled).count()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    pub(super) fn cancel(&self) {
        self.cancelled.set(true);
        self.changed.notify_one();
    }
}
