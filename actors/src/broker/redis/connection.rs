use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::consumer::Consumer;
use super::publish::Push;
use super::scripts::Scripts;
use super::settle;
use crate::connection::{chance, follow};
use crate::contract::{ConnectionState, ConsumerId};
use crate::redis::{CommandError, Connection, Nodes, Reply, Script, Settings};
use crate::{AdapterContext, RedisConfig};

/// What the adapter and its tasks share; all of it lives on one thread.
pub(super) struct Link {
    pub(super) context: Rc<AdapterContext>,
    /// The server, or the nodes of the cluster.
    pub(super) nodes: Nodes<Push>,
    pub(super) scripts: Scripts,
    pub(super) consumers: RefCell<BTreeMap<ConsumerId, Rc<Consumer>>>,
    /// Told when nothing of a consumer is left.
    pub(super) consumer_left: Notify,
    /// The queues whose leases are watched.
    pub(super) watched: RefCell<BTreeSet<Arc<str>>>,
    config: RedisConfig,
    /// Nothing new is taken on.
    pub(super) closed: Cell<bool>,
    /// What was not done by now never will be.
    pub(super) ended: Cell<bool>,
}

impl Link {
    pub(super) fn open(config: &RedisConfig, context: AdapterContext) -> Rc<Self> {
        let context = Rc::new(context);
        let settings = config.settings_for(&context.env.limits);
        let random = chance(&context.env.ids);
        let observer = Box::new(follow("broker", context.clone()));
        let home = Connection::open(config.endpoint.clone(), "broker", settings, random, observer, None);
        let ids = context.env.ids.clone();
        let open = move |endpoint, role, settings| {
            Connection::open(endpoint, role, settings, chance(&ids), Box::new(|_| {}), None)
        };
        Rc::new(Self {
            context,
            nodes: Nodes::new(home, open),
            scripts: Scripts::new(),
            consumers: RefCell::default(),
            consumer_left: Notify::new(),
            watched: RefCell::default(),
            config: config.clone(),
            closed: Cell::new(false),
            ended: Cell::new(false),
        })
    }

    /// A connection for the blocking reads of one consumer. The main one tells of outages.
    pub(super) fn open_reader(&self, consumer: &Consumer) -> Connection {
        let settings = Settings { quiet: true, ..self.config.settings.clone() };
        self.nodes.open_another(&consumer.keys.list, format!("broker consumer {}", consumer.queue), settings)
    }

    /// Runs a script within the deadline of sends.
    pub(super) async fn run(&self, script: &Script, keys: &[Bytes], args: &[Bytes]) -> Result<Reply, CommandError> {
        self.nodes.run(script, keys, args, self.context.env.limits.send_deadline).await
    }

    pub(super) fn heartbeat(&self) -> Duration {
        self.config.settings.heartbeat
    }

    pub(super) fn lease(&self) -> Duration {
        self.config.lease
    }

    pub(super) fn keys_kept(&self) -> usize {
        self.config.remembered_keys.get()
    }

    pub(super) fn consumers_of(&self, queue: &str) -> Vec<Rc<Consumer>> {
        self.consumers.borrow().values().filter(|consumer| *consumer.queue == *queue).cloned().collect()
    }

    /// Something in `mailer:delayed` will be due then: the server does not wake whoever waits for the list.
    pub(super) fn due_at(&self, queue: &str, due: Instant) {
        self.consumers.borrow().values().filter(|one| *one.queue == *queue).for_each(|consumer| consumer.due_at(due));
    }

    pub(super) fn due_in(&self, queue: &str, millis: u128) {
        self.due_at(queue, crate::clock::after(Duration::from_millis(millis.try_into().unwrap_or(u64::MAX))));
    }

    /// Says something about a consumer's queue, at most once a minute.
    pub(super) fn say(&self, what: &'static str, consumer: &Consumer, text: &str) {
        if let Some(times) = self.context.env.events.line_due(what, &consumer.queue) {
            let (queue, consumer) = (&consumer.queue, &consumer.name);
            tracing::warn!(%queue, %consumer, times, "{text}");
        }
    }

    /// Ends the intake of all consumers, gives back what they hold, carries out what was accepted until `deadline`, and
    /// gives up the rest. The second time it does nothing.
    pub(super) async fn close(self: &Rc<Self>, deadline: Instant) {
        if self.closed.replace(true) {
            return;
        }
        let consumers: Vec<_> = self.consumers.borrow().values().cloned().collect();
        consumers.iter().for_each(|consumer| consumer.cancel());
        for consumer in &consumers {
            // Past the deadline the loop goes on: what is there is returned in the same moment, or counted as lost.
            timeout_at(deadline, consumer.leaving.intake_ended()).await.ok();
            settle::return_rest(self, consumer);
        }
        for consumer in &consumers {
            timeout_at(deadline, consumer.leaving.has_left()).await.ok();
        }
        timeout_at(deadline, self.nodes.idle()).await.ok();
        self.nodes.close(deadline).await;
        self.ended.set(true);
        for consumer in &consumers {
            settle::give_up(self, consumer);
            consumer.changed.notify_one();
        }
        self.consumers.borrow_mut().clear();
        self.consumer_left.notify_waiters();
        self.context.state.send_replace(ConnectionState::Closed);
    }
}
