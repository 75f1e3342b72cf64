use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::Bytes;
use tokio::time::{Instant, timeout_at};

use super::consumer::Consumer;
use super::publish::Push;
use super::scripts::Scripts;
use super::settle;
use crate::contract::{ConnectionState, ConsumerId};
use crate::redis::{CommandError, Connection, Line, Reply, Script, Settings, chance, follow};
use crate::{AdapterContext, RedisConfig};

/// What the adapter and its tasks share; all of it lives on one thread.
pub(super) struct Link {
    pub(super) context: Rc<AdapterContext>,
    /// Everything but the blocking reads goes over this one.
    pub(super) connection: Connection,
    /// What is to be sent.
    pub(super) line: Line<Push>,
    pub(super) scripts: Scripts,
    pub(super) consumers: RefCell<BTreeMap<ConsumerId, Rc<Consumer>>>,
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
        let connection = Connection::open(config.endpoint.clone(), "broker", settings, random, observer, None);
        Rc::new(Self {
            context,
            line: Line::new(connection.clone()),
            connection,
            scripts: Scripts::new(),
            consumers: RefCell::default(),
            config: config.clone(),
            closed: Cell::new(false),
            ended: Cell::new(false),
        })
    }

    /// A connection for the blocking reads of one consumer. The main one tells of outages.
    pub(super) fn open_another(&self, role: String) -> Connection {
        let settings = Settings { quiet: true, ..self.config.settings.clone() };
        let random = chance(&self.context.env.ids);
        Connection::open(self.config.endpoint.clone(), role, settings, random, Box::new(|_| {}), None)
    }

    /// Runs a script within the deadline of sends.
    pub(super) async fn run(&self, script: &Script, keys: &[Bytes], args: &[Bytes]) -> Result<Reply, CommandError> {
        self.connection.run(script, keys, args, self.context.env.limits.send_deadline).await
    }

    pub(super) fn block(&self) -> Duration {
        self.config.settings.heartbeat
    }

    pub(super) fn consumers_of(&self, queue: &str) -> Vec<Rc<Consumer>> {
        self.consumers.borrow().values().filter(|consumer| *consumer.queue == *queue).cloned().collect()
    }

    /// Something in `mailer:delayed` will be due then: the server does not wake whoever waits for the list.
    pub(super) fn due_at(&self, queue: &str, due: Instant) {
        self.consumers_of(queue).iter().for_each(|consumer| consumer.due_at(due));
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
            timeout_at(deadline, consumer.intake_ended()).await.ok();
            settle::return_rest(self, consumer);
        }
        for consumer in &consumers {
            timeout_at(deadline, consumer.emptied()).await.ok();
        }
        timeout_at(deadline, self.line.idle()).await.ok();
        self.connection.close(deadline.saturating_duration_since(Instant::now())).await;
        self.ended.set(true);
        for consumer in &consumers {
            settle::give_up(self, consumer);
        }
        self.consumers.borrow_mut().clear();
        self.context.state.send_replace(ConnectionState::Closed);
    }
}
