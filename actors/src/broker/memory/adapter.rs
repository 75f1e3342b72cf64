use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use tokio::time::Instant;

use super::MemoryBroker;
use super::queue::{ConsumerKey, QueueState};
use crate::AdapterContext;
use crate::contract::{ConnectionState, ConsumerId};

/// The face of the shared queues in one group.
pub(super) struct Adapter {
    pub(super) broker: MemoryBroker,
    pub(super) context: AdapterContext,
    pub(super) queues: BTreeMap<ConsumerId, Arc<str>>,
    pub(super) closed: bool,
    member: u64,
    alarm: Option<(Instant, SpawnHandle)>,
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
    pub(super) fn pump(&mut self, queue: &Arc<str>, context: &mut Context<Self>) {
        let due = self.broker.state().pump(queue);
        self.wake_at(due, context);
    }

    /// Sets the alarm for a time that [`super::State::pump`] told.
    pub(super) fn wake_at(&mut self, due: Option<Instant>, context: &mut Context<Self>) {
        let Some(due) = due else { return };
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
        let due = {
            let mut state = self.broker.state();
            state.queues.values_mut().filter_map(QueueState::pump).min()
        };
        self.wake_at(due, context);
    }

    pub(super) fn key(&self, id: ConsumerId) -> ConsumerKey {
        (self.member, id)
    }

    pub(super) fn leave(&mut self) {
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
