//! What a broker is asked beside sending and settling.

use std::collections::BTreeMap;

use actix::{Context, Handler};
use tokio::time::Instant;

use super::adapter::Adapter;
use super::held::Held;
use super::queue::{ConsumerState, QueueState};
use crate::contract::{
    Cancel, Capabilities, CloseBroker, Concerned, Consume, Dead, DeadRequest, Declare, DedupBy, DescribeBroker,
    Description, Inspect, Letters, WasSeen,
};
use crate::error::Error;

const CLOSED: Error = Error::Closed("the broker");

impl Handler<Consume> for Adapter {
    type Result = ();

    fn handle(&mut self, consume: Consume, context: &mut Context<Self>) {
        let Consume { id, queue, credit, consumer, dedup, inlet, reply, .. } = consume;
        if self.closed {
            return reply.send(Err(CLOSED));
        }
        if dedup == Some(DedupBy::Id) && !self.broker.headers {
            let what = format!("`{consumer}`, which consumes `{queue}`");
            let reason =
                "messages in memory have no ids of their senders: use `dedup(window, by = \"field\")`".to_owned();
            return reply.send(Err(Error::Refused { what, reason }));
        }
        let state = ConsumerState {
            credit: credit.get(),
            name: consumer,
            inlet,
            env: self.context.env.clone(),
            taken: BTreeMap::new(),
            cancelled: false,
        };
        self.broker.state().queue(&queue).add(self.key(id), state);
        self.queues.insert(id, queue.clone());
        reply.send(Ok(()));
        self.pump(&queue, context);
    }
}

impl Handler<Declare> for Adapter {
    type Result = ();

    fn handle(&mut self, declare: Declare, _: &mut Context<Self>) {
        if self.closed {
            return declare.reply.send(Err(CLOSED));
        }
        let declared = self.context.env.declarations.queue(&declare.queue);
        let bound = declared.map_or(Ok(()), |queue| self.broker.state().exchanges.bind(queue));
        declare.reply.send(bound.map_err(|reason| {
            let exchange = declared.and_then(|queue| queue.exchange.as_deref()).unwrap_or_default();
            Error::Refused { what: format!("the queue `{}` of the exchange `{exchange}`", declare.queue), reason }
        }));
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

impl Handler<WasSeen> for Adapter {
    type Result = ();

    fn handle(&mut self, ask: WasSeen, _: &mut Context<Self>) {
        let Some(queue) = self.queues.get(&ask.consumer) else { return ask.reply.send(Err(CLOSED)) };
        let mut state = self.broker.state();
        let seen = &mut state.queue(queue).seen;
        ask.reply.send(Ok(ask.keys.iter().map(|key| seen.holds(key)).collect()));
    }
}

impl Handler<Inspect> for Adapter {
    type Result = ();

    fn handle(&mut self, inspect: Inspect, _: &mut Context<Self>) {
        inspect.reply.send(match self.closed {
            true => Err(CLOSED),
            false => Ok(self.broker.state().queue(&inspect.queue).counts()),
        });
    }
}

impl Handler<Dead> for Adapter {
    type Result = ();

    fn handle(&mut self, dead: Dead, context: &mut Context<Self>) {
        if self.closed {
            return dead.reply.send(Err(CLOSED));
        }
        let concerned = concern(self.broker.state().queue(&dead.queue), dead.request, &dead.which);
        dead.reply.send(Ok(concerned));
        self.pump(&dead.queue, context);
    }
}

fn concern(queue: &mut QueueState, request: DeadRequest, which: &Letters) -> Concerned {
    let taken = match request {
        DeadRequest::Peek => {
            let held = queue.dead.iter().map(|buried| &buried.letter).filter(|letter| which.holds(letter));
            let letters: Vec<_> = held.take(which.most).cloned().collect();
            return Concerned { count: letters.len() as u64, letters };
        }
        DeadRequest::Replay | DeadRequest::Purge => queue.take_dead(which),
    };
    let count = taken.len() as u64;
    if request == DeadRequest::Replay {
        let now = Instant::now();
        taken.into_iter().for_each(|buried| queue.delay(now, Held::replayed(buried)));
    }
    Concerned { count, letters: Vec::new() }
}

impl Handler<DescribeBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBroker, _: &mut Context<Self>) {
        let capabilities = Capabilities {
            ordered: true,
            groups: true,
            delay: true,
            headers: self.broker.headers,
            outbox: true,
            dedup: true,
            exchanges: true,
            full_counts: true,
            ..Capabilities::default()
        };
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
