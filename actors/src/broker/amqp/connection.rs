use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::time::{Instant, timeout_at};

use super::consumer::Consumer;
use super::copies::Copying;
use super::gauge::Gauge;
use super::line::Line;
use super::topology::Topology;
use super::{acks, settle};
use crate::amqp::{Connection, Observer, Outage, Settings, State};
use crate::broker::settled;
use crate::connection::{chance, follow};
use crate::contract::{ConnectionState, ConsumerId};
use crate::{AdapterContext, AmqpConfig};

/// What the adapter and its tasks share; all of it lives on one thread.
pub(super) struct Link {
    pub(super) context: Rc<AdapterContext>,
    pub(super) publishing: Connection,
    /// Publishes nothing, so that the server never blocks it.
    pub(super) consuming: Connection,
    /// For consumers with an outbox; opened with the first of them.
    transacting: OnceCell<Connection>,
    /// The state of all connections together.
    gauge: Gauge,
    pub(super) topology: Rc<Topology>,
    pub(super) line: Line,
    pub(super) consumers: RefCell<BTreeMap<ConsumerId, Rc<Consumer>>>,
    config: AmqpConfig,
    /// Nothing new is taken on.
    pub(super) closed: Cell<bool>,
}

impl Link {
    pub(super) fn open(config: &AmqpConfig, context: AdapterContext) -> Rc<Self> {
        let context = Rc::new(context);
        // One outage and one line for all connections, whichever of them is lost.
        let (mut follow, mut outage) = (follow("broker", context.clone()), Outage::new("broker", &config.endpoint));
        let gauge = Gauge::new(move |state: &State| {
            outage.see(state);
            follow(state);
        });
        let publishing = open(config, &context, "broker", gauge.another());
        let consuming = open(config, &context, "broker consumers", gauge.another());
        let topology = Rc::new(Topology::new(consuming.clone(), &context.env, config.queues));
        Rc::new(Self {
            line: Line::new(context.clone(), publishing.clone(), topology.clone()),
            context,
            publishing,
            consuming,
            transacting: OnceCell::new(),
            gauge,
            topology,
            consumers: RefCell::default(),
            config: config.clone(),
            closed: Cell::new(false),
        })
    }

    pub(super) fn transactions(&self) -> Connection {
        let open = || open(&self.config, &self.context, "broker outboxes", self.gauge.another());
        self.transacting.get_or_init(open).clone()
    }

    pub(super) fn consumers_of(&self, queue: &str) -> Vec<Rc<Consumer>> {
        self.consumers.borrow().values().filter(|consumer| *consumer.queue == *queue).cloned().collect()
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
            timeout_at(deadline, consumer.leaving.intake_ended()).await.ok();
            settle::return_rest(self, consumer);
        }
        for consumer in &consumers {
            timeout_at(deadline, consumer.leaving.has_left()).await.ok();
        }
        timeout_at(deadline, self.line.idle()).await.ok();
        self.line.end("the broker was closed");
        for connection in [Some(&self.consuming), self.transacting.get(), Some(&self.publishing)].into_iter().flatten()
        {
            connection.close(deadline).await;
        }
        for consumer in &consumers {
            self.give_up(consumer);
        }
        self.consumers.borrow_mut().clear();
        self.context.state.send_replace(ConnectionState::Closed);
    }

    /// Counts and logs what could not be told to the server in time.
    fn give_up(&self, consumer: &Consumer) {
        let events = &self.context.env.events;
        let (left, copies) = (acks::give_up(consumer), consumer.lose_all());
        let lost = left.len() + copies;
        let stuck = consumer.stuck.borrow_mut().take();
        stuck.into_iter().for_each(Copying::given_up);
        (0..copies).for_each(|_| settled::lost(events, &consumer.queue, &consumer.name));
        left.into_iter().for_each(|one| one.lost(events, consumer));
        if lost > 0 {
            let queue = &consumer.queue;
            tracing::warn!(%queue, consumer = %consumer.name, lost, "the broker was closed before these settlements could be \
                applied: the server gives their messages to another consumer");
        }
    }
}

fn open(config: &AmqpConfig, context: &AdapterContext, role: &str, observer: Observer) -> Connection {
    let settings = Settings { quiet: true, ..config.settings.clone() };
    let prepare = Box::new(|_| Box::pin(async { Ok(()) }) as _);
    Connection::open(config.endpoint.clone(), role, settings, chance(&context.env.ids), observer, prepare)
}
