//! What has to be at the server before a message can go somewhere: queues, exchanges, bindings.

mod declare;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Declarations;
use lapin::types::ShortString;
use tokio::time::Instant;

use super::names::{self, short};
use crate::Env;
use crate::amqp::{Connection, QueueKind};
use crate::events::Events;

/// So long after it was declared, messages are still put into it.
const FRESH: Duration = Duration::from_secs(20);

/// Where a message goes.
#[derive(Debug, Clone)]
pub(super) struct To {
    pub(super) queue: Arc<str>,
    pub(super) place: Place,
    /// The server keeps it back for so many milliseconds.
    pub(super) delay_ms: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Place {
    /// As the queue is declared: into it, or with a topic to its exchange.
    Declared(Option<ShortString>),
    /// Into the queue, past its exchange.
    Itself,
    /// To its dead letters.
    Dead,
}

/// The same for the server.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
}

/// What was declared on one connection; on the next all is declared anew, since a server may forget.
pub(super) struct Topology {
    connection: Connection,
    declarations: Arc<Declarations>,
    kind: QueueKind,
    events: Events,
    generation: Cell<u64>,
    /// By name, with what is beside it, and when.
    known: RefCell<BTreeMap<Arc<str>, Instant>>,
    /// The queues of delays of each queue, those of connections before too. There are fewer than 130 lengths.
    delays: RefCell<BTreeMap<Arc<str>, BTreeSet<Arc<str>>>>,
}

impl Topology {
    pub(super) fn new(connection: Connection, env: &Env, kind: QueueKind) -> Self {
        let (declarations, events) = (env.declarations.clone(), env.events.clone());
        let (generation, known, delays) = (Cell::default(), RefCell::default(), RefCell::default());
        Self { connection, declarations, kind, events, generation, known, delays }
    }

    pub(super) fn is_persistent(&self) -> bool {
        self.kind != QueueKind::Microagent
    }

    /// The address, if all is declared.
    pub(super) fn address(&self, to: &To) -> Option<Address> {
        let link = self.connection.now()?;
        let at = |exchange: &str, key: &str| Some(Address { exchange: short(exchange)?, key: short(key)? });
        if link.generation() != self.generation.get() || !self.knows(&to.queue) {
            return None;
        }
        let exchange = self.exchange_of(&to.queue);
        match (&to.place, exchange) {
            (Place::Dead, _) => at("", &names::dead(&to.queue)),
            (Place::Declared(topic), Some(exchange)) => {
                let key = match topic {
                    Some(topic) => topic.clone(),
                    None => short(&to.queue)?,
                };
                let exchange = match self.delay_name(to) {
                    Some(name) if !self.knows_fresh(&name) => return None,
                    Some(name) => short(&name)?,
                    None => short(exchange)?,
                };
                Some(Address { exchange, key })
            }
            _ => match self.delay_name(to) {
                Some(name) if !self.knows_fresh(&name) => None,
                Some(name) => at("", &name),
                None => at("", &to.queue),
            },
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.known.borrow().contains_key(name)
    }

    fn knows_fresh(&self, name: &str) -> bool {
        self.known.borrow().get(name).is_some_and(|since| since.elapsed() < FRESH)
    }

    fn exchange_of(&self, queue: &str) -> Option<&str> {
        self.declarations.queue(queue)?.exchange.as_deref()
    }

    /// The name of the queue of delays.
    fn delay_name(&self, to: &To) -> Option<String> {
        if to.delay_ms == 0 || matches!(to.place, Place::Dead) {
            return None;
        }
        let most_ms = names::bucket(to.delay_ms);
        let exchange = self.exchange_of(&to.queue).filter(|_| matches!(to.place, Place::Declared(_)));
        Some(match exchange {
            Some(exchange) => names::delayed_to(exchange, most_ms),
            None => names::delayed(&to.queue, most_ms),
        })
    }

    /// Something that was declared is gone: it is declared again before it is used.
    pub(super) fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    /// The queues of delays of a queue that this process knows.
    pub(super) fn delays_of(&self, queue: &str) -> Vec<Arc<str>> {
        self.delays.borrow().get(queue).into_iter().flatten().cloned().collect()
    }
}

impl To {
    pub(super) fn declared(queue: Arc<str>, topic: Option<ShortString>, delay_ms: u64) -> Self {
        Self { queue, place: Place::Declared(topic), delay_ms }
    }

    pub(super) fn itself(queue: Arc<str>, delay_ms: u64) -> Self {
        Self { queue, place: Place::Itself, delay_ms }
    }

    pub(super) fn dead(queue: Arc<str>) -> Self {
        Self { queue, place: Place::Dead, delay_ms: 0 }
    }
}
