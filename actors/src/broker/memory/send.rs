use actix::{Context, Handler};

use super::adapter::Adapter;
use crate::broker::settled;
use crate::contract::Send;
use crate::error::SendError;

/// What a message in memory may have beside its body.
pub(super) const OPTIONS: &[&str] = &["delay", "topic"];

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, send: Send, context: &mut Context<Self>) {
        let Send { batch, reply, .. } = send;
        if self.closed {
            return reply.send(Err(SendError::not_sent("the broker is closed")));
        }
        if let Some(option) = batch.iter().find_map(|outgoing| settled::unsupported(&outgoing.options, OPTIONS)) {
            return reply.send(Err(SendError::not_sent(format!("the memory broker has no option `{option}`"))));
        }
        let due = {
            let env = &self.context.env;
            let mut state = self.broker.state();
            let routes = batch.iter().map(|outgoing| state.exchanges.route(&env.declarations, outgoing));
            let routes = match routes.collect::<Result<Vec<_>, _>>() {
                Ok(routes) => routes,
                Err(reason) => return reply.send(Err(SendError::not_sent(reason))),
            };
            let capacity = self.broker.capacity.get();
            let targets = batch.iter().zip(&routes).flat_map(|(outgoing, route)| route.queues(&outgoing.queue));
            let full = targets.into_iter().find(|queue| state.queue(queue).len() + batch.len() > capacity);
            if let Some(full) = full {
                let reason = format!("the queue `{full}` holds {capacity} messages, its capacity");
                return reply.send(Err(SendError::not_sent(reason)));
            }
            let sent = batch.into_iter().zip(routes).filter_map(|(outgoing, route)| {
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
