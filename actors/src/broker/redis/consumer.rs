use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use formicary_protocol::{Bytes, Entry};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::keys::Keys;
use super::settle::Pending;
use crate::contract::{Consume, Delivered, DeliveryInlet, Token};

/// One consumer of a queue: what it may take, what it holds, and what is still to be told to the server.
pub(super) struct Consumer {
    pub(super) queue: Arc<str>,
    /// Agent and handler, for logs and events.
    pub(super) name: Arc<str>,
    pub(super) uid: Arc<str>,
    pub(super) keys: Keys,
    pub(super) taken: Bytes,
    pub(super) inlet: Arc<dyn DeliveryInlet>,
    pub(super) held: RefCell<BTreeMap<Token, Held>>,
    /// Settlements that wait for their turn, and those of the script that is under way.
    pub(super) waiting: RefCell<VecDeque<Pending>>,
    pub(super) flying: RefCell<Vec<Pending>>,
    pub(super) settling: Cell<bool>,
    /// The answer to a take was lost: there may be messages in our place that we do not know of.
    pub(super) unsure: Cell<bool>,
    /// What left our place while it is being read.
    pub(super) gone: RefCell<Option<Vec<Bytes>>>,
    pub(super) due: Cell<Option<Instant>>,
    /// Credit, the alarm or the end of the intake.
    pub(super) changed: Notify,
    pub(super) cancelled: Cell<bool>,
    intake_over: Cell<bool>,
    quieter: Notify,
    credit: usize,
    tokens: Cell<u64>,
    ids: Cell<u64>,
}

/// A message in our place.
pub(super) struct Held {
    /// Its field in the hash: the entry's id, unless that was not ours to read.
    pub(super) field: Bytes,
    pub(super) entry: Entry,
    /// A settlement was accepted.
    pub(super) settled: bool,
}

impl Consumer {
    pub(super) fn new(consume: &Consume, uid: Arc<str>) -> Self {
        Self {
            queue: consume.queue.clone(),
            name: consume.consumer.clone(),
            keys: Keys::of(&consume.queue),
            taken: Keys::taken(&consume.queue, &uid),
            uid,
            inlet: consume.inlet.clone(),
            held: RefCell::default(),
            waiting: RefCell::default(),
            flying: RefCell::default(),
            settling: Cell::default(),
            unsure: Cell::default(),
            gone: RefCell::default(),
            due: Cell::default(),
            changed: Notify::new(),
            cancelled: Cell::default(),
            intake_over: Cell::default(),
            quieter: Notify::new(),
            credit: consume.credit.get(),
            tokens: Cell::default(),
            ids: Cell::default(),
        }
    }

    pub(super) fn free(&self) -> usize {
        self.credit.saturating_sub(self.held.borrow().len())
    }

    /// So many numbers for ids, which are never used again: a take whose answer is lost may have used them.
    pub(super) fn reserve(&self, count: usize) -> u64 {
        self.ids.replace(self.ids.get() + count as u64)
    }

    /// Notes a message that was taken; returns what the inlet gets.
    pub(super) fn hold(&self, field: Bytes, entry: Entry) -> Delivered {
        self.tokens.set(self.tokens.get() + 1);
        let token = Token(self.tokens.get());
        let delivered = Delivered {
            token,
            id: entry.id.as_str().into(),
            attempt: entry.attempt,
            first_seen_ms: entry.first_seen_ms,
            history: entry.history.clone().into(),
            metadata: Arc::new([]),
            body: entry.body.clone(),
        };
        self.held.borrow_mut().insert(token, Held { field, entry, settled: false });
        delivered
    }

    pub(super) fn knows(&self, field: &Bytes) -> bool {
        self.held.borrow().values().any(|held| held.field == *field)
            || self.gone.borrow().as_ref().is_some_and(|gone| gone.contains(field))
    }

    /// A settlement is applied, or refused for good: its credit is free.
    pub(super) fn release(&self, token: Token) {
        let Some(held) = self.held.borrow_mut().remove(&token) else { return };
        if let Some(gone) = self.gone.borrow_mut().as_mut() {
            gone.push(held.field);
        }
        self.changed.notify_one();
        self.quieter.notify_waiters();
    }

    pub(super) fn due_at(&self, due: Instant) {
        if self.due.get().is_none_or(|set| due < set) {
            self.due.set(Some(due));
            self.changed.notify_one();
        }
    }

    pub(super) fn cancel(&self) {
        self.cancelled.set(true);
        self.changed.notify_one();
        self.quieter.notify_waiters();
    }

    pub(super) fn end_intake(&self) {
        self.intake_over.set(true);
        self.quieter.notify_waiters();
    }

    pub(super) fn sure(&self) {
        self.unsure.set(false);
        self.quieter.notify_waiters();
    }

    pub(super) async fn cancelled(&self) {
        self.until(|consumer| consumer.cancelled.get()).await;
    }

    pub(super) async fn intake_ended(&self) {
        self.until(|consumer| consumer.intake_over.get()).await;
    }

    pub(super) async fn emptied(&self) {
        self.until(|consumer| consumer.held.borrow().is_empty() && !consumer.unsure.get()).await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            let change = self.quieter.notified();
            if holds(self) {
                return;
            }
            change.await;
        }
    }
}
