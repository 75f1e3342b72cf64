use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use formicary_protocol::{Bytes, Entry, Failure};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::field::{Field, Stamps};
use super::held::{Held, What};
use super::keys::Keys;
use super::pending::Pending;
use crate::broker::leaving::Leaving;
use crate::contract::{Consume, Delivered, DeliveryInlet, Token};

/// One consumer of a queue: what it may take, what it holds, and what is still to be told to the server.
pub(super) struct Consumer {
    pub(super) queue: Arc<str>,
    /// Agent and handler, for logs and events.
    pub(super) name: Arc<str>,
    pub(super) uid: Arc<str>,
    pub(super) uid_bytes: Bytes,
    pub(super) keys: Keys,
    pub(super) taken: Bytes,
    /// Queues to which messages may be sent with an acknowledgement.
    pub(super) outbox: Arc<[Arc<str>]>,
    pub(super) inlet: Arc<dyn DeliveryInlet>,
    pub(super) held: RefCell<BTreeMap<Token, Held>>,
    /// Settlements that wait for their turn.
    pub(super) waiting: RefCell<VecDeque<Pending>>,
    /// Those that are under way, by the stamp of their turn.
    pub(super) flying: RefCell<BTreeMap<u64, Vec<Pending>>>,
    /// Those that the server refused, until they are tried again.
    pub(super) refused: RefCell<Vec<Pending>>,
    /// The answer to a take was lost: there may be messages in our place that we do not know of.
    pub(super) unsure: Cell<bool>,
    pub(super) due: Cell<Option<Instant>>,
    /// There is something new for the task of this consumer: a settlement, a delay, the end of the intake.
    pub(super) changed: Notify,
    pub(super) stamps: Stamps,
    cancelled: Cell<bool>,
    pub(super) leaving: Leaving,
    credit: usize,
    tokens: Cell<u64>,
    lost: Cell<Token>,
    id: RefCell<String>,
    no_metadata: Arc<[(String, String)]>,
    no_history: Arc<[Failure]>,
}

impl Consumer {
    pub(super) fn new(consume: &Consume, uid: Arc<str>) -> Self {
        Self {
            queue: consume.queue.clone(),
            name: consume.consumer.clone(),
            keys: Keys::of(&consume.queue),
            taken: Keys::taken(&consume.queue, uid.as_bytes()),
            uid_bytes: Bytes::copy_from_slice(uid.as_bytes()),
            uid,
            outbox: consume.outbox.clone(),
            inlet: consume.inlet.clone(),
            held: RefCell::default(),
            waiting: RefCell::default(),
            flying: RefCell::default(),
            refused: RefCell::default(),
            unsure: Cell::default(),
            due: Cell::default(),
            changed: Notify::new(),
            stamps: Stamps::default(),
            cancelled: Cell::default(),
            leaving: Leaving::new(),
            credit: consume.credit.get(),
            tokens: Cell::default(),
            lost: Cell::new(Token(0)),
            id: RefCell::default(),
            no_metadata: Arc::default(),
            no_history: Arc::default(),
        }
    }

    pub(super) fn credit(&self) -> usize {
        self.credit
    }

    pub(super) fn free(&self) -> usize {
        self.credit.saturating_sub(self.held.borrow().len())
    }

    /// Notes a message at its first attempt; returns what the inlet gets.
    pub(super) fn hold_fresh(&self, field: Field, first_seen_ms: u64, body: Bytes) -> Delivered {
        let mut text = self.id.borrow_mut();
        field.id(&self.uid, &mut text);
        let id: Arc<str> = text.as_str().into();
        let delivered = Delivered {
            token: self.next_token(),
            id: id.clone(),
            attempt: 1,
            first_seen_ms,
            history: self.no_history.clone(),
            metadata: self.no_metadata.clone(),
            body: body.clone(),
        };
        self.hold(delivered.token, field, What::Fresh { id, first_seen_ms, body });
        delivered
    }

    /// Notes a message with a past; returns what the inlet gets.
    pub(super) fn hold_entry(&self, field: Field, entry: Entry) -> Delivered {
        let delivered = Delivered {
            token: self.next_token(),
            id: entry.id.as_str().into(),
            attempt: entry.attempt,
            first_seen_ms: entry.first_seen_ms,
            history: entry.history.as_slice().into(),
            metadata: self.no_metadata.clone(),
            body: entry.body.clone(),
        };
        self.hold(delivered.token, field, What::Entry(Box::new(entry)));
        delivered
    }

    fn next_token(&self) -> Token {
        self.tokens.set(self.tokens.get() + 1);
        Token(self.tokens.get())
    }

    fn hold(&self, token: Token, field: Field, what: What) {
        self.held.borrow_mut().insert(token, Held { field, what: Some(what) });
    }

    pub(super) fn knows(&self, field: Field) -> bool {
        self.held.borrow().values().any(|held| held.field == field)
    }

    /// A settlement is applied, or refused for good: its credit is free.
    pub(super) fn release(&self, token: Token) {
        self.held.borrow_mut().remove(&token);
    }

    /// The lease has run out: what was held until now may be somebody else's.
    pub(super) fn lost_all(&self) {
        self.lost.set(Token(self.tokens.get()));
    }

    pub(super) fn was_lost(&self, token: Token) -> bool {
        token <= self.lost.get()
    }

    pub(super) fn due_at(&self, due: Instant) {
        if self.due.get().is_none_or(|set| due < set) {
            self.due.set(Some(due));
            self.changed.notify_one();
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    pub(super) fn cancel(&self) {
        self.cancelled.set(true);
        self.changed.notify_one();
    }
}
