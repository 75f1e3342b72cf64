use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use formicary_protocol::Entry;
use tokio::time::Instant;

use super::MemoryBroker;
use super::queue::{ConsumerKey, ConsumerState, QueueState};
use crate::AdapterContext;
use crate::broker::settled;
use crate::contract::{
    Cancel, Capabilities, CloseBroker, Concerned, ConnectionState, Consume, ConsumerId, Dead, DeadRequest,
    DescribeBroker, Description, Inspect, Outcome, Send, Settle, SettleError, WasSeen,
};
use crate::error::{Error, SendError};

/// The face of the shared queues in one group.
pub(super) struct Adapter {
    broker: MemoryBroker,
    context: AdapterContext,
    member: u64,
    queues: BTreeMap<ConsumerId, Arc<str>>,
    alarm: Option<(Instant, SpawnHandle)>,
    closed: bool,
}

/// Something was put into the shared queues, or a delay is over.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Wake;

impl Adapter {
    pub(super) fn new(broker: MemoryBroker, context: AdapterContext) -> Self {
        Self { broker, context, member: 0, queues: BTreeMap::new(), alarm: None, closed: false }
    }

    /// Delivers what can be delivered, and sets the alarm for the next delay that ends.
    fn pump(&mut self, queue: &Arc<str>, context: &mut Context<Self>) {
        let due = {
            let mut state = self.broker.state();
            let queue = state.queue(queue);
            queue.pump();
            queue.next_due()
        };
        // What is due already and could not be taken is taken with the next settlement.
        if let Some(due) = due.filter(|due| *due > Instant::now()) {
            self.set_alarm(due, context);
        }
    }

    fn set_alarm(&mut self, due: Instant, context: &mut Context<Self>) {
        match self.alarm {
            Some((at, _)) if at <= due && at > Instant::now() => return,
            Some((_, handle)) => drop(context.cancel_future(handle)),
            None => {}
        }
        let wait = due.saturating_duration_since(Instant::now());
        let handle = context.run_later(wait, |adapter, context| {
            adapter.alarm = None;
            adapter.pump_all(context);
        });
        self.alarm = Some((due, handle));
    }

    /// Consumers of other groups may have the credit for what one of ours put back.
    fn pump_all(&mut self, context: &mut Context<Self>) {
        let queues: Vec<_> = self.broker.state().queues.keys().cloned().collect();
        for queue in queues {
            self.pump(&queue, context);
        }
    }

    fn key(&self, id: ConsumerId) -> ConsumerKey {
        (self.member, id)
    }

    fn leave(&mut self) {
        if self.closed {
            return;
        }
        self.closed = true;
        let mut state = self.broker.state();
        state.members.remove(&self.member);
        state.queues.values_mut().for_each(|queue| queue.detach(self.member));
        drop(state);
        self.broker.wake();
        self.context.state.send_replace(ConnectionState::Closed);
    }
}

impl Actor for Adapter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let mut state = self.broker.state();
        state.attached += 1;
        self.member = state.attached;
        state.members.insert(self.member, context.address().downgrade().recipient());
        drop(state);
        self.context.state.send_replace(ConnectionState::Up);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.leave();
    }
}

impl Handler<Wake> for Adapter {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Context<Self>) {
        self.pump_all(context);
    }
}

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, send: Send, context: &mut Context<Self>) {
        let Send { batch, reply, .. } = send;
        if self.closed {
            return reply.send(Err(SendError::not_sent("the broker is closed")));
        }
        if let Some(option) = batch.iter().find_map(|outgoing| settled::unsupported(&outgoing.options)) {
            return reply.send(Err(SendError::not_sent(format!("the memory broker has no option `{option}`"))));
        }
        let mut touched: Vec<Arc<str>> = Vec::new();
        {
            let mut state = self.broker.state();
            let capacity = self.broker.capacity.get();
            let full = batch.iter().find(|outgoing| state.queue(&outgoing.queue).len() + batch.len() > capacity);
            if let Some(full) = full {
                let reason = format!("the queue `{}` holds {capacity} messages, its capacity", full.queue);
                return reply.send(Err(SendError::not_sent(reason)));
            }
            for outgoing in batch {
                self.context.env.told_queued(&outgoing.queue);
                let queue = state.queue(&outgoing.queue);
                match outgoing.options.delay {
                    None => queue.push(outgoing.body),
                    Some(delay) => {
                        let env = &self.context.env;
                        let entry = Entry::new(&env.ids.id(), env.clock.now_ms(), outgoing.body);
                        queue.delay(crate::clock::after(delay), entry);
                    }
                }
                if !touched.contains(&outgoing.queue) {
                    touched.push(outgoing.queue);
                }
            }
        }
        reply.send(Ok(()));
        for queue in touched {
            self.pump(&queue, context);
        }
    }
}

impl Handler<Consume> for Adapter {
    type Result = ();

    fn handle(&mut self, consume: Consume, context: &mut Context<Self>) {
        let Consume { id, queue, credit, consumer, inlet, reply, .. } = consume;
        if self.closed {
            return reply.send(Err(Error::Closed("the broker")));
        }
        let state = ConsumerState {
            credit: credit.get(),
            name: consumer,
            inlet,
            env: self.context.env.clone(),
            taken: BTreeMap::new(),
            cancelled: false,
        };
        self.broker.state().queue(&queue).add((self.member, id), state);
        self.queues.insert(id, queue.clone());
        reply.send(Ok(()));
        self.pump(&queue, context);
    }
}

impl Handler<Settle> for Adapter {
    type Result = ();

    fn handle(&mut self, settle: Settle, context: &mut Context<Self>) {
        let Settle { consumer, mut batch, reply } = settle;
        let Some(queue) = self.queues.get(&consumer).cloned() else {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::Closed(batch.len()))));
        };
        if settled::has_outbox(&batch) {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::NoOutbox)));
        }
        let key = self.key(consumer);
        let events = self.context.env.events.clone();
        let mut late = Vec::new();
        settled::returns_last_first(batch.as_mut_slice());
        {
            let capacity = self.broker.capacity.get();
            let mut state = self.broker.state();
            let state: &mut QueueState = state.queue(&queue);
            let name = state.consumer(&key).map(|consumer| consumer.name.clone()).unwrap_or_default();
            for settlement in batch {
                let (token, outcome): (_, Outcome) = (settlement.token, settlement.outcome.clone());
                if state.settle(&key, settlement, capacity) {
                    settled::applied(&events, &queue, &name, &outcome);
                } else {
                    settled::late(&events, &queue, &name);
                    late.push(token);
                }
            }
        }
        if let Some(reply) = reply {
            reply.send(if late.is_empty() { Ok(()) } else { Err(SettleError::Late(late)) });
        }
        self.pump(&queue, context);
    }
}

impl Handler<WasSeen> for Adapter {
    type Result = ();

    fn handle(&mut self, ask: WasSeen, _: &mut Context<Self>) {
        let reason = "it does not remember keys".to_owned();
        ask.reply.send(Err(Error::Refused { what: "the memory broker".to_owned(), reason }));
    }
}

impl Handler<Cancel> for Adapter {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, _: &mut Context<Self>) {
        let key = self.key(cancel.id);
        if let Some(queue) = self.queues.get(&cancel.id) {
            self.broker.state().queue(queue).cancel(&key);
        }
        cancel.reply.send(());
    }
}

impl Handler<Inspect> for Adapter {
    type Result = ();

    fn handle(&mut self, inspect: Inspect, _: &mut Context<Self>) {
        inspect.reply.send(match self.closed {
            true => Err(Error::Closed("the broker")),
            false => Ok(self.broker.state().queue(&inspect.queue).counts()),
        });
    }
}

impl Handler<Dead> for Adapter {
    type Result = ();

    fn handle(&mut self, dead: Dead, context: &mut Context<Self>) {
        if self.closed {
            return dead.reply.send(Err(Error::Closed("the broker")));
        }
        let concerned = {
            let mut state = self.broker.state();
            let queue = state.queue(&dead.queue);
            match dead.request {
                DeadRequest::Replay => {
                    let letters = queue.take_dead(&dead.which);
                    let count = letters.len() as u64;
                    for mut letter in letters {
                        letter.entry.attempt = 1;
                        queue.delay(Instant::now(), letter.entry);
                    }
                    Concerned { count, letters: Vec::new() }
                }
                DeadRequest::Purge => {
                    Concerned { count: queue.take_dead(&dead.which).len() as u64, letters: Vec::new() }
                }
                DeadRequest::Peek => {
                    let held = queue.dead.iter().filter(|letter| dead.which.holds(letter));
                    let letters: Vec<_> = held.take(dead.which.most).cloned().collect();
                    Concerned { count: letters.len() as u64, letters }
                }
            }
        };
        dead.reply.send(Ok(concerned));
        self.pump(&dead.queue, context);
    }
}

impl Handler<DescribeBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBroker, _: &mut Context<Self>) {
        let capabilities = Capabilities { ordered: true, groups: true, delay: true, ..Capabilities::default() };
        let mut description = Description::new("memory", "memory://".to_owned(), capabilities);
        description.connection = self.context.state.borrow().clone();
        describe.0.send(description);
    }
}

impl Handler<CloseBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBroker, _: &mut Context<Self>) {
        self.leave();
        close.reply.send(());
    }
}
