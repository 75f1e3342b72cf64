use std::collections::BTreeSet;
use std::sync::Arc;

use actix::{Context, Handler};
use tokio::time::Instant;

use super::State;
use super::adapter::Adapter;
use super::held::Buried;
use super::queue::ConsumerKey;
use super::seen::Remembered;
use crate::Env;
use crate::broker::settled;
use crate::contract::{Outcome, Settle, SettleError, Settlement, Settlements};

impl Handler<Settle> for Adapter {
    type Result = ();

    fn handle(&mut self, settle: Settle, context: &mut Context<Self>) {
        let Settle { consumer, mut batch, reply } = settle;
        let Some(queue) = self.queues.get(&consumer).cloned() else {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::Closed(batch.len()))));
        };
        if let Some(reason) = self.refuses(&batch) {
            tracing::error!(%queue, reason, "what came in an outbox cannot be sent: the settlements were refused");
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::NoOutbox)));
        }
        settled::returns_last_first(batch.as_mut_slice());
        let key = self.key(consumer);
        let (mut late, mut sent_to) = (Vec::new(), BTreeSet::new());
        let due = {
            let mut state = self.broker.state();
            let name = state.queue(&queue).consumer(&key).cloned().unwrap_or_default();
            let most = self.broker.capacity.get();
            let env = &self.context.env;
            let mut settling = Settling { state: &mut state, env, queue: &queue, key, name, most, now: Instant::now() };
            for settlement in batch {
                let token = settlement.token;
                if !settling.apply(settlement, &mut sent_to) {
                    settled::late(&env.events, &queue, &settling.name);
                    late.push(token);
                }
            }
            [&queue].into_iter().chain(&sent_to).filter_map(|queue| state.pump(queue)).min()
        };
        if let Some(reply) = reply {
            reply.send(if late.is_empty() { Ok(()) } else { Err(SettleError::Late(late)) });
        }
        self.wake_at(due, context);
    }
}

impl Adapter {
    /// Why a message in an outbox cannot be sent, if one cannot.
    fn refuses(&self, batch: &Settlements) -> Option<String> {
        let mut outgoing = batch.as_slice().iter().flat_map(|settlement| &settlement.outbox).peekable();
        outgoing.peek()?;
        outgoing.find_map(|outgoing| match settled::unsupported(&outgoing.options, self.broker.options()) {
            Some(option) => Some(format!("the memory broker has no option `{option}`")),
            None => self.broker.unroutable(&self.context.env, outgoing),
        })
    }
}

/// The settlements of one consumer, under the lock of all queues: each is applied whole or not at all.
struct Settling<'a> {
    state: &'a mut State,
    env: &'a Env,
    queue: &'a Arc<str>,
    key: ConsumerKey,
    name: Arc<str>,
    most: usize,
    now: Instant,
}

impl Settling<'_> {
    /// `false` when the message is not the consumer's any more: then nothing was done.
    fn apply(&mut self, settlement: Settlement, sent_to: &mut BTreeSet<Arc<str>>) -> bool {
        let Settlement { token, outcome, failure, outbox, seen } = settlement;
        let events = &self.env.events;
        let queue = self.state.queue(self.queue);
        let Some(held) = queue.take_back(&self.key, token) else { return false };
        match &outcome {
            Outcome::Ack => {
                match seen.map(|seen| queue.seen.remember(seen, self.most)) {
                    Some(Remembered::Known) => {
                        settled::deduplicated(events, self.queue, &self.name);
                        return true;
                    }
                    Some(Remembered::New { forgot: true }) => self.forgot_a_key(),
                    Some(Remembered::New { forgot: false }) | None => {}
                }
                for outgoing in outbox {
                    // Asked before, and no queue ever leaves its exchange.
                    let Ok(route) = self.state.exchanges.route(&self.env.declarations, &outgoing) else { continue };
                    let queue = outgoing.queue.clone();
                    let route = self.state.put(self.env, outgoing, route);
                    sent_to.extend(route.queues(&queue).iter().cloned());
                }
            }
            Outcome::Retry { after } => {
                queue.delay(crate::clock::after(*after), held.failed(failure).next_attempt());
            }
            Outcome::Dead { reason } => {
                let letter = held.failed(failure).into_letter(reason.clone(), self.env.clock.now_ms());
                self.bury(letter);
            }
            Outcome::Return => queue.give_back(self.now, token, held.failed(failure)),
        }
        settled::applied(events, self.queue, &self.name, &outcome);
        true
    }

    fn bury(&mut self, buried: Buried) {
        if self.state.queue(self.queue).bury(buried, self.most) {
            return;
        }
        if let Some(times) = self.env.events.line_due("dead letters full", self.queue) {
            let (queue, most) = (self.queue, self.most);
            tracing::error!(%queue, most, times, "the dead letters of a queue in memory are full: the oldest are forgotten");
        }
    }

    fn forgot_a_key(&self) {
        if let Some(times) = self.env.events.line_due("keys full", self.queue) {
            let (queue, most) = (self.queue, self.most);
            tracing::warn!(%queue, most, times, "too many keys within their windows: the oldest are forgotten");
        }
    }
}
