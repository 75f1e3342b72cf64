use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use formicary_protocol::Bytes;
use tokio::time::{Instant, sleep_until};

use super::tap::{Taken, Tap};
use super::{Direct, RecordingBroker, Settled, What};
use crate::broker::{Broker, settled};
use crate::contract::{
    Cancel, Capabilities, CloseBroker, Consume, ConsumerId, Dead, DescribeBroker, Description, Inspect, Outcome,
    Outgoing, Reply, Send, SendOptions, Settle, SettleError, Settlement, WasSeen,
};
use crate::error::{Error, SendError};
use crate::events::{Event, EventKind};

/// Records, does what scripts say, and passes on what they do not. What a broker in memory may lack, outboxes and `dedup`,
/// it does itself.
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
        for outgoing in &send.batch {
            let Some(script) = book.scripts.get_mut(&*outgoing.queue) else { continue };
            delay = delay.max(script.delay);
            failure = failure.or_else(|| script.failures.pop_front());
        }
        let left = send.deadline.saturating_duration_since(Instant::now());
        let late = || SendError::not_sent("the delay that the test has set is longer than its deadline");
        (failure.or_else(|| (delay > left).then(late)), delay.min(left))
    }

    /// What remains to be done when an outcome is applied: the outbox, the key, the record.
    fn applied(&self, consumer: &Consumer, applied: Applied) -> Settled {
        let Applied { attempt, body, settlement, late } = applied;
        let Settlement { outcome, failure, outbox, seen, .. } = settlement;
        let queue = &consumer.queue;
        let is_ack = outcome == Outcome::Ack && !late;
        let seen = seen.filter(|_| is_ack);
        let repeated = seen.is_some_and(|seen| !self.broker.book().seen.remember(queue, seen));
        let settled = Settled {
            queue: queue.to_string(),
            attempt,
            outcome,
            error: failure.map(|failure| failure.error),
            repeated,
            late,
        };
        self.record(What::Settled(settled.clone()), queue, &consumer.name, &body);
        if repeated {
            let (queue, consumer) = (queue.clone(), consumer.name.clone());
            let events = &self.inner.env().events;
            events.emit(EventKind::Deduplicated, || Event::Deduplicated { queue, consumer });
        } else if is_ack && !outbox.is_empty() {
            for outgoing in &outbox {
                self.record(What::PushedOnAck, &outgoing.queue, &consumer.name, &outgoing.body);
            }
            let deadline = self.inner.send_deadline();
            self.pass_on(Send { batch: outbox, deadline, reply: Reply::unheard(), permit: None });
        }
        settled
    }

    /// Passes a batch on without the options that a broker in memory lacks.
    fn pass_on(&self, mut send: Send) {
        for outgoing in &mut send.batch {
            outgoing.options = SendOptions { delay: outgoing.options.delay, ..SendOptions::default() };
        }
        self.inner.port().put(send);
    }
}

/// A settlement, and whether it was in time.
struct Applied {
    attempt: u32,
    body: Bytes,
    settlement: Settlement,
    late: bool,
}

impl Actor for Adapter {
    type Context = Context<Self>;
}

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, send: Send, context: &mut Context<Self>) {
        let (failure, delay) = self.script(&send);
        for Outgoing { queue, body, .. } in &send.batch {
            let what = failure.as_ref().map_or(What::Pushed, |error| What::NotPushed(error.to_string()));
            self.record(what, queue, &"".into(), body);
        }
        let then = move |adapter: &mut Self| match failure {
            Some(error) => send.reply.send(Err(error)),
            None => adapter.pass_on(send),
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
        (consume.inlet, consume.outbox, consume.dedup) = (tap, Arc::default(), None);
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
        for settlement in batch {
            let token = settlement.token;
            let direct = self.broker.book().direct.remove(&token);
            let Some(Direct { attempt, body, told }) = direct else {
                plain.push(Settlement::new(token, settlement.outcome.clone()).failed(settlement.failure.clone()));
                let Taken { attempt, body } = consumer.tap.take(token).unwrap_or_default();
                waiting.push(Applied { attempt, body, settlement, late: false });
                continue;
            };
            let outcome = settlement.outcome.clone();
            let applied = self.applied(&consumer, Applied { attempt, body, settlement, late: false });
            if !applied.repeated {
                settled::applied(&self.inner.env().events, &consumer.queue, &consumer.name, &outcome);
            }
            // A harness that has stopped waiting misses nothing: it is recorded.
            drop(told.send(applied));
        }
        if plain.is_empty() {
            return reply.into_iter().for_each(|reply| reply.send(Ok(())));
        }
        let (own, pending) = Reply::new();
        self.inner.port().put(Settle { consumer: id, batch: plain.into(), reply: Some(own) });
        // The outbox only goes out when the acknowledgement was applied.
        let told = pending.into_actor(self).map(move |outcome, adapter, _| {
            let outcome = outcome.unwrap_or(Err(SettleError::Closed(waiting.len())));
            for mut applied in waiting {
                applied.late = match &outcome {
                    Ok(()) => false,
                    Err(SettleError::Late(tokens)) => tokens.contains(&applied.settlement.token),
                    Err(_) => true,
                };
                adapter.applied(&consumer, applied);
            }
            reply.into_iter().for_each(|reply| reply.send(outcome.clone()));
        });
        context.spawn(told);
    }
}

impl Handler<WasSeen> for Adapter {
    type Result = ();

    fn handle(&mut self, ask: WasSeen, _: &mut Context<Self>) {
        let Some(consumer) = self.consumers.get(&ask.consumer) else {
            return ask.reply.send(Err(Error::Closed("the consumer")));
        };
        let book = self.broker.book();
        let seen = ask.keys.iter().map(|key| book.seen.has(&consumer.queue, key)).collect();
        drop(book);
        ask.reply.send(Ok(seen));
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
