use actix::{Context, Handler};

use super::adapter::Adapter;
use crate::broker::settled;
use crate::contract::Send;
use crate::error::SendError;

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
        let due = {
            let mut state = self.broker.state();
            let capacity = self.broker.capacity.get();
            let full = batch.iter().find(|outgoing| state.queue(&outgoing.queue).len() + batch.len() > capacity);
            if let Some(full) = full {
                let reason = format!("the queue `{}` holds {capacity} messages, its capacity", full.queue);
                return reply.send(Err(SendError::not_sent(reason)));
            }
            let sent = batch.into_iter().map(|outgoing| {
                let queue = outgoing.queue.clone();
                state.put(&self.context.env, outgoing);
                state.pump(&queue)
            });
            sent.flatten().min()
        };
        reply.send(Ok(()));
        self.wake_at(due, context);
    }
}
