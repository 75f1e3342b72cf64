//! Declares what is missing: queues with their dead letters, exchanges, bindings, queues of delays.

use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::QueueDeclaration;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use tokio::time::{Instant, sleep_until};

use super::{Place, To, Topology};
use crate::amqp::{CommandError, Link, QueueKind};
use crate::broker::amqp::names::{self, short};
use crate::broker::amqp::{headers, limit};
use crate::broker::pause::Pause;

/// A queue of delays that is not used goes away by itself so long after the longest time that a message is in it.
const UNUSED: Duration = Duration::from_secs(60);
/// How often a queue that does not run yet is asked for again: for 350 ms in all, since others wait behind it.
const BEGINNING: usize = 3;
const NOT_FOUND: u16 = 404;

impl Topology {
    /// Declares what is missing for the address.
    ///
    /// # Errors
    /// [`CommandError::Refused`] when the server will refuse it again.
    pub(in super::super) async fn declare(&self, to: &To, deadline: Instant) -> Result<(), CommandError> {
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
        arguments.insert("x-dead-letter-exchange".into(), headers::text(exchange.unwrap_or_default()));
        if exchange.is_none() {
            arguments.insert("x-dead-letter-routing-key".into(), headers::text(&to.queue));
        }
        if self.kind == QueueKind::Quorum {
            // Otherwise a message may be lost between the two queues when a server dies.
            arguments.insert("x-dead-letter-strategy".into(), headers::text("at-least-once"));
            arguments.insert("x-overflow".into(), headers::text("reject-publish"));
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
            arguments.insert("x-queue-type".into(), headers::text("quorum"));
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
