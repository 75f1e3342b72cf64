//! What has to be at the server before a message can go somewhere: queues, exchanges, bindings.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Declarations, QueueDeclaration};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use tokio::time::{Instant, sleep_until};

use super::limit;
use super::names::{self, short};
use crate::Env;
use crate::amqp::{CommandError, Connection, Link, QueueKind};
use crate::broker::pause::Pause;
use crate::events::Events;

/// A queue of delays that is not used goes away by itself so long after the longest time that a message is in it.
const UNUSED: Duration = Duration::from_secs(60);
/// So long after it was declared, messages are still put into it.
const FRESH: Duration = Duration::from_secs(20);
/// How often a queue that does not run yet is asked for again: for 350 ms in all, since others wait behind it.
const BEGINNING: usize = 3;
const NOT_FOUND: u16 = 404;

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

    /// Declares what is missing for the address.
    ///
    /// # Errors
    /// [`CommandError::Refused`] when the server will refuse it again.
    pub(super) async fn declare(&self, to: &To, deadline: Instant) -> Result<(), CommandError> {
        let link = self.connection.link(deadline).await?;
        if self.generation.replace(link.generation()) != link.generation() {
            self.known.borrow_mut().clear();
        }
        if !self.knows(&to.queue) {
            self.declare_queue_that_begins(&link, &to.queue, deadline).await?;
        }
        match self.delay_name(to) {
            Some(name) if !self.knows_fresh(&name) => self.declare_delay(&link, to, &name).await,
            _ => Ok(()),
        }
    }

    /// A queue that somebody else declares at the same time is known to the server a moment before it runs: until then
    /// the server says that its node is down.
    async fn declare_queue_that_begins(
        &self,
        link: &Link,
        queue: &Arc<str>,
        deadline: Instant,
    ) -> Result<(), CommandError> {
        let mut pause = Pause::default();
        for _ in 0..BEGINNING {
            match self.declare_queue(link, queue).await {
                Err(error) if error.has_code(NOT_FOUND) => pause.lengthen(),
                declared => return declared,
            }
            sleep_until(pause.end().unwrap_or(deadline).min(deadline)).await;
        }
        self.declare_queue(link, queue).await
    }

    /// A queue with its dead letters, its exchange, and the other queues of it: what is sent there before they have
    /// consumers waits in them.
    async fn declare_queue(&self, link: &Link, queue: &Arc<str>) -> Result<(), CommandError> {
        // A channel of its own: a refusal ends it.
        let mut channel = link.channel().await?;
        let exchange = self.exchange_of(queue).map(str::to_owned);
        let mut beside: Vec<&QueueDeclaration> = match &exchange {
            Some(exchange) => self.declarations.bound_to(exchange).collect(),
            None => self.declarations.queue(queue).into_iter().collect(),
        };
        // The one that was asked for first, so that an error is about it.
        beside.sort_by_key(|one| *one.name != **queue);
        if let Some(exchange) = &exchange {
            let kind =
                if beside.iter().all(|one| one.topics.is_empty()) { ExchangeKind::Fanout } else { ExchangeKind::Topic };
            let options = ExchangeDeclareOptions { durable: self.is_persistent(), ..Default::default() };
            let declared = channel.exchange_declare(self.name(exchange)?, kind, options, FieldTable::default());
            link.answered(declared).await.map_err(|error| self.otherwise("exchange", exchange, error))?;
        }
        for one in &beside {
            self.declare_plain(link, &mut channel, &one.name).await?;
            self.declare_plain(link, &mut channel, &names::dead(&one.name)).await?;
            if let Some(exchange) = &exchange {
                self.bind(link, &channel, one, exchange, &beside).await?;
            }
        }
        let mut known = self.known.borrow_mut();
        known.extend(beside.iter().map(|one| (Arc::from(&*one.name), Instant::now())));
        Ok(())
    }

    async fn bind(
        &self,
        link: &Link,
        channel: &Channel,
        queue: &QueueDeclaration,
        exchange: &str,
        beside: &[&QueueDeclaration],
    ) -> Result<(), CommandError> {
        let is_fanout = beside.iter().all(|one| one.topics.is_empty());
        let all = [if is_fanout { String::new() } else { "#".to_owned() }];
        let topics = if queue.topics.is_empty() { &all[..] } else { &queue.topics[..] };
        for topic in topics {
            let (name, exchange, topic) = (self.name(&queue.name)?, self.name(exchange)?, self.name(topic)?);
            let bound = channel.queue_bind(name, exchange, topic, QueueBindOptions::default(), FieldTable::default());
            link.answered(bound).await?;
        }
        Ok(())
    }

    /// A queue from which messages are taken.
    async fn declare_plain(&self, link: &Link, channel: &mut Channel, name: &str) -> Result<(), CommandError> {
        let mut arguments = self.arguments();
        let is_lifted = self.kind == QueueKind::Quorum && limit::must_be_lifted(link.server_version());
        if is_lifted {
            limit::lift(&mut arguments);
        }
        let declared = channel.queue_declare(self.name(name)?, self.options(), arguments);
        match link.answered(declared).await {
            Err(error) if is_lifted && limit::is_there(&error) => {
                limit::tell(&self.events, name);
                // The refusal has ended the channel.
                *channel = link.channel().await?;
                let declared = channel.queue_declare(self.name(name)?, self.options(), self.arguments());
                link.answered(declared).await
            }
            declared => declared,
        }
        .map_err(|error| self.otherwise("queue", name, error))
        .map(drop)
    }

    async fn declare_delay(&self, link: &Link, to: &To, name: &str) -> Result<(), CommandError> {
        let channel = link.channel().await?;
        let expires = Duration::from_millis(names::bucket(to.delay_ms)) + UNUSED;
        let expires = i64::try_from(expires.as_millis()).unwrap_or(i64::from(u32::MAX));
        let mut arguments = self.arguments();
        arguments.insert("x-expires".into(), AMQPValue::LongLongInt(expires));
        let exchange = self.exchange_of(&to.queue).filter(|_| matches!(to.place, Place::Declared(_)));
        arguments.insert("x-dead-letter-exchange".into(), super::headers::text(exchange.unwrap_or_default()));
        if exchange.is_none() {
            arguments.insert("x-dead-letter-routing-key".into(), super::headers::text(&to.queue));
        }
        if self.kind == QueueKind::Quorum {
            // Otherwise a message may be lost between the two queues when a server dies.
            arguments.insert("x-dead-letter-strategy".into(), super::headers::text("at-least-once"));
            arguments.insert("x-overflow".into(), super::headers::text("reject-publish"));
        }
        let declared = channel.queue_declare(self.name(name)?, self.options(), arguments);
        link.answered(declared).await.map_err(|error| self.otherwise("queue", name, error))?;
        if exchange.is_some() {
            // Keeps the topics, which a queue by itself does not. It goes with its queue.
            let options =
                ExchangeDeclareOptions { durable: self.is_persistent(), auto_delete: true, ..Default::default() };
            let declared =
                channel.exchange_declare(self.name(name)?, ExchangeKind::Fanout, options, FieldTable::default());
            link.answered(declared).await?;
            let (queue, exchange, key) = (self.name(name)?, self.name(name)?, self.name("")?);
            let bound = channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default());
            link.answered(bound).await?;
        }
        let name: Arc<str> = name.into();
        self.known.borrow_mut().insert(name.clone(), Instant::now());
        self.delays.borrow_mut().entry(to.queue.clone()).or_default().insert(name);
        Ok(())
    }

    fn options(&self) -> QueueDeclareOptions {
        QueueDeclareOptions { durable: self.is_persistent(), ..Default::default() }
    }

    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        if self.kind == QueueKind::Quorum {
            arguments.insert("x-queue-type".into(), super::headers::text("quorum"));
        }
        arguments
    }

    fn name(&self, name: &str) -> Result<ShortString, CommandError> {
        short(name).ok_or_else(|| CommandError::Refused {
            code: 0,
            message: format!("the name `{name}` is longer than the 255 bytes that the protocol allows"),
        })
    }

    /// Says what to do about a queue or exchange that somebody declared in another way.
    fn otherwise(&self, what: &str, name: &str, error: CommandError) -> CommandError {
        const OTHERWISE: u16 = 406;
        match error {
            CommandError::Refused { code: OTHERWISE, message } => CommandError::Refused {
                code: OTHERWISE,
                message: format!(
                    "the {what} `{name}` is there otherwise than this program declares it ({message}): delete it at the server, \
                     or declare it alike everywhere: `AmqpConfig::microagent()` for what agents in Python declare, \
                     `AmqpConfig::quorum()` for quorum queues"
                ),
            },
            other => other,
        }
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
