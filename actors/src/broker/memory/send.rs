use actix::{Context, Handler};

use super::MemoryBroker;
use super::adapter::Adapter;
use crate::broker::settled;
use crate::contract::Send;
use crate::error::SendError;

/// What a message in memory may have beside its body.
const OPTIONS: &[&str] = &["delay", "topic"];
const WITH_HEADERS: &[&str] = &["delay", "topic", "id", "key", "headers"];

impl MemoryBroker {
    /// What a message may have here beside its body.
    pub(super) fn options(&self) -> &'static [&'static str] {
        if self.headers { WITH_HEADERS } else { OPTIONS }
    }
}

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, send: Send, context: &mut Context<Self>) {
        let Send { batch, reply, .. } = send;
        if self.closed {
            return reply.send(Err(SendError::not_sent("the broker is closed")));
        }
        if let Some(option) =
            batch.iter().find_map(|outgoing| settled::unsupported(&outgoing.options, self.broker.options()))
        {
            return reply.send(Err(SendError::not_sent(format!("the memory broker has no option `{option}`"))));
        }
        let due = {
            let env = &self.context.env;
            let mut state = self.broker.state();
            let capacity = self.broker.capacity.get();
            for outgoing in &batch {
                let route = match state.exchanges.route(&env.declarations, outgoing) {
                    Ok(route) => route,
                    Err(reason) => return reply.send(Err(SendError::not_sent(reason))),
                };
                let mut targets = route.queues(&outgoing.queue).iter();
                if let Some(full) = targets.find(|queue| state.queue(queue).len() + batch.len() > capacity) {
                    let reason = format!("the queue `{full}` holds {capacity} messages, its capacity");
                    return reply.send(Err(SendError::not_sent(reason)));
                }
            }
            // Asked anew: under one lock the answer is the same, and to keep it would cost each message an allocation.
            let sent = batch.into_iter().filter_map(|outgoing| {
                let route = state.exchanges.route(&env.declarations, &outgoing).ok()?;
                let queue = outgoing.queue.clone();
                let route = state.put(env, outgoing, route);
                route.queues(&queue).iter().filter_map(|queue| state.pump(queue)).min()
            });
            sent.min()
        };
        reply.send(Ok(()));
        self.wake_at(due, context);
    }
}
