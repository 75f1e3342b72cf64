//! The adapter: an actor that handles the messages of a broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use formicary::contract::{
    Cancel, Capabilities, CloseBroker, Concerned, ConnectionState, Consume, ConsumerId, Dead, DeadRequest, Declare,
    Delivered, DeliveryInlet, DescribeBroker, Description, Inspect, Outcome, Outgoing, Reply, Send, Settle,
    SettleError, Settlement, Token, WasSeen,
};
use formicary::{AdapterContext, Broker, BrokerConfig, BrokerPort, Env, Error, SendError};

use super::store::{Store, Taken};

/// How often it looks for what other processes have sent, and for what is due.
const LOOK: Duration = Duration::from_millis(10);

/// How a group reaches the broker in a folder.
pub fn file_broker(folder: impl Into<PathBuf>) -> BrokerConfig {
    let folder = folder.into();
    BrokerConfig::custom(move |env| start(&folder, env))
}

/// Starts it on this thread.
pub fn start(folder: &Path, env: Env) -> Broker {
    let (context, state) = AdapterContext::new(env.clone());
    let store = Store::open(folder, env.clock, env.ids.clone());
    let adapter =
        Adapter { folder: folder.display().to_string(), store, context, consumers: BTreeMap::new(), owed: Vec::new() };
    Broker::new(BrokerPort::start(adapter), env, state)
}

struct Adapter {
    folder: String,
    store: Store,
    context: AdapterContext,
    consumers: BTreeMap<ConsumerId, Consumer>,
    /// What could not be settled: it is tried again with every look, as long as it takes.
    owed: Vec<Owed>,
}

struct Consumer {
    queue: Arc<str>,
    name: Arc<str>,
    credit: usize,
    inlet: Arc<dyn DeliveryInlet>,
    next: u64,
    taken: BTreeMap<Token, Taken>,
    cancelled: bool,
}

struct Owed {
    consumer: ConsumerId,
    batch: Vec<Settlement>,
    late: Vec<Token>,
    reply: Option<Reply<Result<(), SettleError>>>,
}

impl Actor for Adapter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.context.state.send_replace(ConnectionState::Up);
        context.run_interval(LOOK, |adapter, _| {
            adapter.settle_owed();
            adapter.deliver();
        });
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.close();
    }
}

impl Adapter {
    fn is_closed(&self) -> bool {
        *self.context.state.borrow() == ConnectionState::Closed
    }

    /// Hands over what each consumer has the credit for.
    fn deliver(&mut self) {
        for consumer in self.consumers.values_mut().filter(|consumer| !consumer.cancelled) {
            let most = consumer.credit.saturating_sub(consumer.taken.len());
            let queue = consumer.queue.clone();
            if let Err(error) = self.store.take(&queue, most, |taken| consumer.hand_over(taken)) {
                // There is another look in a moment.
                if let Some(times) = self.context.env.line_due("take", &queue) {
                    tracing::warn!(%queue, %error, times, "messages could not be taken");
                }
            }
        }
    }

    fn settle_owed(&mut self) {
        for mut owed in std::mem::take(&mut self.owed) {
            match self.settle(&mut owed) {
                Ok(()) => {
                    let late = std::mem::take(&mut owed.late);
                    let ended = if late.is_empty() { Ok(()) } else { Err(SettleError::Late(late)) };
                    owed.reply.into_iter().for_each(|reply| reply.send(ended.clone()));
                }
                Err(error) => {
                    if let Some(times) = self.context.env.line_due("settle", "all queues") {
                        tracing::warn!(%error, times, "settlements could not be applied, and are tried again");
                    }
                    self.owed.push(owed);
                }
            }
        }
    }

    /// Applies one after the other; what is applied leaves the batch.
    fn settle(&mut self, owed: &mut Owed) -> std::io::Result<()> {
        let Some(consumer) = self.consumers.get_mut(&owed.consumer) else {
            // It was cancelled and had nothing left, so its names are forgotten.
            let unknown: Arc<str> = "unknown".into();
            for settlement in owed.batch.drain(..) {
                self.context.env.told_late(&unknown, &unknown);
                owed.late.push(settlement.token);
            }
            return Ok(());
        };
        let queue = &consumer.queue;
        while let Some(Settlement { token, outcome, failure, .. }) = owed.batch.first().cloned() {
            if let Some(taken) = consumer.taken.get(&token) {
                match &outcome {
                    Outcome::Ack => self.store.ack(taken),
                    Outcome::Retry { after } => self.store.retry(queue, taken, *after, failure),
                    Outcome::Dead { reason } => self.store.bury(queue, taken, reason.clone(), failure),
                    Outcome::Return => self.store.give_back(queue, taken),
                }?;
                consumer.taken.remove(&token);
                self.context.env.told_settled(queue, &consumer.name, &outcome);
            } else {
                self.context.env.told_late(queue, &consumer.name);
                owed.late.push(token);
            }
            owed.batch.remove(0);
        }
        if consumer.is_over() {
            self.consumers.remove(&owed.consumer);
        }
        Ok(())
    }

    /// All is looked at before any of it is sent, so that a refusal leaves nothing behind.
    fn send_all(&self, batch: &[Outgoing]) -> Result<(), SendError> {
        batch.iter().try_for_each(|outgoing| self.check(outgoing))?;
        for (sent, outgoing) in batch.iter().enumerate() {
            // Nobody sees a file before it has its name, which it gets last: the one that failed is not there.
            self.send(outgoing).map_err(|error| match sent {
                0 => SendError::not_sent(error.to_string()),
                _ => SendError::unknown(format!("{sent} of {} were sent: {error}", batch.len())),
            })?;
            self.context.env.told_queued(&outgoing.queue);
        }
        Ok(())
    }

    fn check(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        self.named(&outgoing.queue).map_err(|error| SendError::not_sent(error.to_string()))?;
        match outgoing.options.all_set().find(|option| *option != "delay") {
            Some(option) => Err(SendError::not_sent(format!("the file broker has no option `{option}`"))),
            None => Ok(()),
        }
    }

    fn send(&self, outgoing: &Outgoing) -> std::io::Result<()> {
        let Outgoing { queue, body, options } = outgoing;
        self.store.declare(queue)?;
        match options.delay {
            None => self.store.send(queue, body),
            Some(delay) => self.store.send_later(queue, &self.store.new_entry(body.clone()), delay),
        }
    }

    fn concern(&self, dead: &Dead) -> std::io::Result<Concerned> {
        let letters = self.store.letters(&dead.queue, &dead.which)?;
        let count = letters.len() as u64;
        if dead.request == DeadRequest::Peek {
            return Ok(Concerned { count, letters: letters.into_iter().map(|(_, letter)| letter).collect() });
        }
        for (file, letter) in letters {
            match dead.request {
                DeadRequest::Replay => self.store.replay(&dead.queue, &file, letter)?,
                _ => self.store.purge(&dead.queue, &file)?,
            }
        }
        Ok(Concerned { count, letters: Vec::new() })
    }

    /// Gives back what it has. There is no connection that could be lost, so nothing waits for a deadline.
    fn close(&mut self) {
        self.settle_owed();
        for owed in std::mem::take(&mut self.owed) {
            let lost = owed.batch.len();
            owed.reply.into_iter().for_each(|reply| reply.send(Err(SettleError::Closed(lost))));
        }
        for consumer in std::mem::take(&mut self.consumers).into_values() {
            for taken in consumer.taken.values() {
                if let Err(error) = self.store.give_back(&consumer.queue, taken) {
                    tracing::error!(queue = %consumer.queue, %error, "a message could not be given back");
                }
            }
        }
        self.context.state.send_replace(ConnectionState::Closed);
    }

    fn open(&self, what: &str) -> Result<(), Error> {
        if self.is_closed() { Err(Error::Closed("the broker")) } else { self.named(what) }
    }

    /// A queue is a folder, so its name must be one.
    fn named(&self, queue: &str) -> Result<(), Error> {
        let fits = !queue.starts_with('.') && !queue.contains(['/', '\\', '\0']);
        let reason = || "its name is no name of a folder".to_owned();
        if fits { Ok(()) } else { Err(Error::Refused { what: format!("the queue `{queue}`"), reason: reason() }) }
    }
}

impl Consumer {
    /// Nothing comes to it any more, and nothing of it is to be settled.
    fn is_over(&self) -> bool {
        self.cancelled && self.taken.is_empty()
    }

    fn hand_over(&mut self, taken: Taken) {
        let token = Token(self.next);
        self.next += 1;
        let entry = taken.entry.clone();
        self.taken.insert(token, taken);
        self.inlet.deliver(Delivered {
            token,
            id: entry.id.into(),
            attempt: entry.attempt,
            first_seen_ms: entry.first_seen_ms,
            history: entry.history.into(),
            metadata: Arc::default(),
            body: entry.body,
        });
    }
}

fn refused(what: &str, error: &std::io::Error) -> Error {
    Error::Refused { what: what.to_owned(), reason: error.to_string() }
}

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, send: Send, _: &mut Context<Self>) {
        if self.is_closed() {
            return send.reply.send(Err(SendError::not_sent("the broker is closed")));
        }
        send.reply.send(self.send_all(&send.batch));
        self.deliver();
    }
}

impl Handler<Declare> for Adapter {
    type Result = ();

    fn handle(&mut self, declare: Declare, _: &mut Context<Self>) {
        let made = self.open(&declare.queue).and_then(|()| {
            let made = self.store.declare(&declare.queue);
            made.map_err(|error| refused("a queue could not be made", &error))
        });
        declare.reply.send(made);
    }
}

impl Handler<Consume> for Adapter {
    type Result = ();

    fn handle(&mut self, consume: Consume, _: &mut Context<Self>) {
        let Consume { id, queue, credit, consumer, outbox, dedup, inlet, reply, .. } = consume;
        let what = match (outbox.is_empty(), dedup) {
            (true, None) => None,
            (false, _) => Some("send in one step with an acknowledgement".to_owned()),
            (_, Some(_)) => Some("remember keys".to_owned()),
        };
        let begun = match what {
            Some(what) => Err(Error::Unsupported { adapter: "file", what }),
            None => self.open(&queue).and_then(|()| {
                self.store.declare(&queue).map_err(|error| refused("a queue could not be made", &error))
            }),
        };
        if begun.is_ok() {
            let (credit, taken) = (credit.get(), BTreeMap::new());
            let consumer = Consumer { queue, name: consumer, credit, inlet, next: 0, taken, cancelled: false };
            self.consumers.insert(id, consumer);
        }
        reply.send(begun);
        self.deliver();
    }
}

impl Handler<Settle> for Adapter {
    type Result = ();

    fn handle(&mut self, settle: Settle, _: &mut Context<Self>) {
        let Settle { consumer, batch, reply } = settle;
        if self.is_closed() {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::Closed(batch.len()))));
        }
        if batch.as_slice().iter().any(|settlement| !settlement.outbox.is_empty()) {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::NoOutbox)));
        }
        self.owed.push(Owed { consumer, batch: batch.into_iter().collect(), late: Vec::new(), reply });
        self.settle_owed();
        self.deliver();
    }
}

impl Handler<WasSeen> for Adapter {
    type Result = ();

    fn handle(&mut self, ask: WasSeen, _: &mut Context<Self>) {
        ask.reply.send(Err(Error::Unsupported { adapter: "file", what: "remember keys".to_owned() }));
    }
}

impl Handler<Cancel> for Adapter {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, _: &mut Context<Self>) {
        if let Some(consumer) = self.consumers.get_mut(&cancel.id) {
            consumer.cancelled = true;
            if consumer.is_over() {
                self.consumers.remove(&cancel.id);
            }
        }
        cancel.reply.send(());
    }
}

impl Handler<Inspect> for Adapter {
    type Result = ();

    fn handle(&mut self, inspect: Inspect, _: &mut Context<Self>) {
        let counted = self.open(&inspect.queue).and_then(|()| {
            self.store.counts(&inspect.queue).map_err(|error| refused("a queue could not be counted", &error))
        });
        inspect.reply.send(counted);
    }
}

impl Handler<Dead> for Adapter {
    type Result = ();

    fn handle(&mut self, dead: Dead, _: &mut Context<Self>) {
        let done = self
            .open(&dead.queue)
            .and_then(|()| self.concern(&dead).map_err(|error| refused("dead letters could not be reached", &error)));
        dead.reply.send(done);
        self.deliver();
    }
}

impl Handler<DescribeBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBroker, _: &mut Context<Self>) {
        let mut capabilities = Capabilities::default();
        capabilities.ordered = true;
        capabilities.persistent = true;
        capabilities.groups = true;
        capabilities.delay = true;
        capabilities.full_counts = true;
        let mut description = Description::new("file", self.folder.clone(), capabilities);
        description.connection = self.context.state.borrow().clone();
        describe.0.send(description);
    }
}

impl Handler<CloseBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBroker, _: &mut Context<Self>) {
        self.close();
        close.reply.send(());
    }
}
