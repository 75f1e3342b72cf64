use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use formicary_protocol::Bytes;
use tokio::time::{Instant, sleep_until};

use super::tap::{Taken, Tap};
use super::{Direct, RecordingBroker, Settled, What};
use crate::broker::{Broker, settled};
use crate::contract::{
    Cancel, Capabilities, CloseBroker, Consume, ConsumerId, Dead, Declare, DescribeBroker, Description, Inspect,
    Outcome, Outgoing, Reply, Send, Settle, SettleError, Settlement, Token, WasSeen,
};
use crate::error::SendError;

/// Records, does what scripts say, and passes on what they do not.
pub(super) struct Adapter {
    broker: RecordingBroker,
    inner: Broker,
    consumers: BTreeMap<ConsumerId, Consumer>,
    closed: bool,
}

#[derive(Clone)]
struct Consumer {
    queue: Arc<str>,
    name: Arc<str>,
    tap: Arc<Tap>,
}

impl Adapter {
    pub(super) fn new(broker: RecordingBroker, inner: Broker) -> Self {
        Self { broker, inner, consumers: BTreeMap::new(), closed: false }
    }

    fn record(&self, what: What, queue: &Arc<str>, by: &Arc<str>, body: &Bytes) {
        self.broker.book().ledger.add(what, queue, by, body);
    }

    /// Why a batch fails, and how long it takes to know.
    fn script(&self, send: &Send) -> (Option<SendError>, Duration) {
        if self.closed {
            return (Some(SendError::not_sent("the broker is closed")), Duration::ZERO);
        }
        let mut book = self.broker.book();
        let (mut failure, mut delay) = (None, Duration::ZERO);
        let unroutable = |outgoing| self.broker.memory().unroutable(self.inner.env(), outgoing);
        let unroutable = send.batch.iter().find_map(unroutable).map(SendError::not_sent);
        for outgoing in &send.batch {
            let Some(script) = book.scripts.get_mut(&*outgoing.queue) else { continue };
            delay = delay.max(script.delay);
            failure = failure.or_else(|| script.failures.pop_front());
        }
        failure = failure.or(unroutable);
        let left = send.deadline.saturating_duration_since(Instant::now());
        let late = || SendError::not_sent("the delay that the test has set is longer than its deadline");
        (failure.or_else(|| (delay > left).then(late)), delay.min(left))
    }

    /// Records a settlement that was applied, or came too late, and what it sent.
    fn settled(&self, consumer: &Consumer, settled: Settled, body: &Bytes, outbox: &[Outgoing]) {
        let sends = settled.outcome == Outcome::Ack && !settled.late && !settled.repeated;
        self.record(What::Settled(settled), &consumer.queue, &consumer.name, body);
        for outgoing in outbox.iter().filter(|_| sends) {
            self.record(What::PushedOnAck, &outgoing.queue, &consumer.name, &outgoing.body);
        }
    }

    /// Settles a delivery of a harness, which stands in no queue: here is all that is done.
    fn settle_direct(&self, consumer: &Consumer, settlement: Settlement, direct: Direct) {
        let Direct { attempt, body, told } = direct;
        let mut settled = told_of(consumer, &settlement, attempt);
        let Settlement { outcome, mut outbox, seen, .. } = settlement;
        let is_ack = outcome == Outcome::Ack;
        let memory = self.broker.memory();
        settled.repeated = seen.is_some_and(|seen| is_ack && !memory.remember(&consumer.queue, seen));
        let events = &self.inner.env().events;
        match settled.repeated {
            true => settled::deduplicated(events, &consumer.queue, &consumer.name),
            false => settled::applied(events, &consumer.queue, &consumer.name, &outcome),
        }
        self.settled(consumer, settled.clone(), &body, &outbox);
        if is_ack && !settled.repeated && !outbox.is_empty() {
            outbox.iter_mut().for_each(strip);
            let deadline = self.inner.send_deadline();
            self.inner.port().put(Send { batch: outbox, deadline, reply: Reply::unheard(), permit: None });
        }
        // A harness that has stopped waiting misses nothing: it is recorded.
        drop(told.send(settled));
    }

    /// The keys of these settlements that are remembered before what is passed on next.
    fn known(&self, consumer: ConsumerId, batch: &[Settlement]) -> impl Future<Output = BTreeSet<Arc<str>>> + use<> {
        let keys: Vec<_> = batch.iter().filter_map(key_of).collect();
        let (reply, seen) = Reply::new();
        let deadline = self.inner.send_deadline();
        self.inner.port().put(WasSeen { consumer, keys: keys.clone(), deadline, reply });
        async move {
            let seen = seen.await.and_then(Result::ok).unwrap_or_default();
            keys.into_iter().zip(seen).filter_map(|(key, seen)| seen.then_some(key)).collect()
        }
    }
}

/// The key that a settlement leaves behind.
fn key_of(settlement: &Settlement) -> Option<Arc<str>> {
    let seen = settlement.seen.as_ref().filter(|_| settlement.outcome == Outcome::Ack);
    seen.map(|seen| seen.key.clone())
}

/// A settlement that the broker in memory applies.
struct Passed {
    token: Token,
    key: Option<Arc<str>>,
    settled: Settled,
    body: Bytes,
    outbox: Vec<Outgoing>,
}

/// Leaves a message without the option that a broker in memory lacks.
fn strip(outgoing: &mut Outgoing) {
    outgoing.options.expires = None;
}

/// A settlement as it is recorded, when it is applied as it stands.
fn told_of(consumer: &Consumer, settlement: &Settlement, attempt: u32) -> Settled {
    Settled {
        queue: consumer.queue.to_string(),
        attempt,
        outcome: settlement.outcome.clone(),
        error: settlement.failure.as_ref().map(|failure| failure.error.clone()),
        repeated: false,
        late: false,
    }
}

impl Actor for Adapter {
    type Context = Context<Self>;
}

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, mut send: Send, context: &mut Context<Self>) {
        let (failure, delay) = self.script(&send);
        for Outgoing { queue, body, .. } in &send.batch {
            let what = failure.as_ref().map_or(What::Pushed, |error| What::NotPushed(error.to_string()));
            self.record(what, queue, &"".into(), body);
        }
        send.batch.iter_mut().for_each(strip);
        let then = move |adapter: &mut Self| match failure {
            Some(error) => send.reply.send(Err(error)),
            None => adapter.inner.port().put(send),
        };
        match delay {
            // What has no delay keeps its order.
            Duration::ZERO => then(self),
            delay => {
                let at = crate::clock::after(delay);
                context.spawn(sleep_until(at).into_actor(self).map(move |(), adapter, _| then(adapter)));
            }
        }
    }
}

impl Handler<Consume> for Adapter {
    type Result = ();

    fn handle(&mut self, mut consume: Consume, _: &mut Context<Self>) {
        let tap = Arc::new(Tap::new(consume.inlet));
        let consumer = Consumer { queue: consume.queue.clone(), name: consume.consumer.clone(), tap: tap.clone() };
        self.record(What::Consumes, &consumer.queue, &consumer.name, &Bytes::new());
        self.consumers.insert(consume.id, consumer);
        consume.inlet = tap;
        self.inner.port().put(consume);
    }
}

impl Handler<Settle> for Adapter {
    type Result = ();

    fn handle(&mut self, settle: Settle, context: &mut Context<Self>) {
        let Settle { consumer: id, batch, reply } = settle;
        let Some(consumer) = self.consumers.get(&id).cloned() else {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::Closed(batch.len()))));
        };
        let (mut plain, mut waiting) = (Vec::new(), Vec::new());
        for mut settlement in batch {
            let direct = self.broker.book().direct.remove(&settlement.token);
            if let Some(direct) = direct {
                self.settle_direct(&consumer, settlement, direct);
                continue;
            }
            settlement.outbox.iter_mut().for_each(strip);
            let Taken { attempt, body } = consumer.tap.take(settlement.token).unwrap_or_default();
            let (token, key, outbox) = (settlement.token, key_of(&settlement), settlement.outbox.clone());
            waiting.push(Passed { token, key, settled: told_of(&consumer, &settlement, attempt), body, outbox });
            plain.push(settlement);
        }
        if plain.is_empty() {
            return reply.into_iter().for_each(|reply| reply.send(Ok(())));
        }
        let known = self.known(id, &plain);
        let (own, pending) = Reply::new();
        self.inner.port().put(Settle { consumer: id, batch: plain.into(), reply: Some(own) });
        let both = async { (known.await, pending.await) };
        context.spawn(both.into_actor(self).map(move |(mut known, outcome), adapter, _| {
            let outcome = outcome.unwrap_or(Err(SettleError::Closed(waiting.len())));
            for Passed { token, key, mut settled, body, outbox } in waiting {
                settled.late = match &outcome {
                    Ok(()) => false,
                    Err(SettleError::Late(tokens)) => tokens.contains(&token),
                    Err(_) => true,
                };
                // Of two in one batch the first is the new one.
                settled.repeated = !settled.late && key.is_some_and(|key| !known.insert(key));
                adapter.settled(&consumer, settled, &body, &outbox);
            }
            reply.into_iter().for_each(|reply| reply.send(outcome.clone()));
        }));
    }
}

impl Handler<WasSeen> for Adapter {
    type Result = ();

    fn handle(&mut self, ask: WasSeen, _: &mut Context<Self>) {
        self.inner.port().put(ask);
    }
}

impl Handler<Cancel> for Adapter {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, _: &mut Context<Self>) {
        if let Some(Consumer { queue, name, .. }) = self.consumers.get(&cancel.id) {
            self.record(What::Cancelled, queue, name, &Bytes::new());
        }
        self.inner.port().put(cancel);
    }
}

impl Handler<Declare> for Adapter {
    type Result = ();

    fn handle(&mut self, declare: Declare, _: &mut Context<Self>) {
        self.inner.port().put(declare);
    }
}

impl Handler<Inspect> for Adapter {
    type Result = ();

    fn handle(&mut self, inspect: Inspect, _: &mut Context<Self>) {
        self.inner.port().put(inspect);
    }
}

impl Handler<Dead> for Adapter {
    type Result = ();

    fn handle(&mut self, dead: Dead, _: &mut Context<Self>) {
        self.inner.port().put(dead);
    }
}

impl Handler<DescribeBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBroker, _: &mut Context<Self>) {
        let capabilities = Capabilities {
            ordered: true,
            groups: true,
            delay: true,
            headers: true,
            outbox: true,
            dedup: true,
            exchanges: true,
            full_counts: true,
            ..Capabilities::default()
        };
        let mut description = Description::new("recording", "memory://".to_owned(), capabilities);
        description.connection = self.inner.connection();
        describe.0.send(description);
    }
}

impl Handler<CloseBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBroker, _: &mut Context<Self>) {
        self.closed = true;
        self.inner.port().put(close);
    }
}
