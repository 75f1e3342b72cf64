//! The bus in memory: the semantics of Redis pub/sub, without a server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Actor, Addr, Context, Handler, Recipient};
use formicary_protocol::{Bytes, Prefix};

use super::receive::{Incoming, read};
use super::{Bus, BusPort};
use crate::contract::{
    Address, Arriving, Call, Capabilities, CloseBus, ConnectionState, DescribeBus, Description, Publish, SignalInlet,
    Subscribe, SubscriptionId, Unsubscribe,
};
use crate::error::{CallError, SendError};
use crate::waiter::{Answered, Expect, Fail, FailAll, Waiter};
use crate::{AdapterContext, Env};

/// What `memory://` stands for: the subscriptions of every group that shares it.
///
/// A group makes its own; a test may make one and give it to several groups, which then talk as processes do that
/// share a Redis.
#[derive(Clone, Default)]
pub struct MemoryBus(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    attached: u64,
    members: BTreeMap<u64, Member>,
}

/// One group on the bus. Its subscriptions are in order of their ids, so no hash map decides who hears first.
struct Member {
    env: Env,
    waiter: Recipient<Answered>,
    subscriptions: BTreeMap<(Arc<str>, SubscriptionId), Arc<dyn SignalInlet>>,
}

impl std::fmt::Debug for MemoryBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBus").field("groups", &self.state().members.len()).finish()
    }
}

impl MemoryBus {
    /// A bus of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an adapter for one group on the current arbiter.
    pub fn start(&self, env: Env) -> Bus {
        let (context, state) = AdapterContext::new(env.clone());
        let waiter = Waiter::new(env.events.clone()).start();
        let member = {
            let mut hub = self.state();
            hub.attached += 1;
            let member = hub.attached;
            let attached =
                Member { env: env.clone(), waiter: waiter.clone().recipient(), subscriptions: BTreeMap::new() };
            hub.members.insert(member, attached);
            member
        };
        let adapter = Adapter { hub: self.clone(), member, waiter, context, closed: false }.start();
        Bus::new(BusPort::of(adapter), env, state)
    }

    /// Publishes what another program might: any bytes on any channel. Returns the number of receivers.
    pub fn publish_raw(&self, channel: &[u8], body: &[u8]) -> u64 {
        let body = Bytes::copy_from_slice(body);
        let mut receivers = 0;
        for member in self.state().members.values() {
            match read(&member.env, channel, body.clone()) {
                Some(Incoming::Signal(signal)) => receivers += member.offer(&signal),
                Some(Incoming::Answer { responder, call, body }) => {
                    member.waiter.do_send(Answered { responder, call, body, is_error: false });
                }
                Some(Incoming::AnswerError { responder, call, body }) => {
                    member.waiter.do_send(Answered { responder, call, body, is_error: true });
                }
                None => {}
            }
        }
        receivers
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come from an inlet; the table itself stays whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, prefix: &Prefix, arriving: &Arriving) -> u64 {
        self.state().members.values().filter(|m| m.env.prefix == *prefix).map(|m| m.offer(arriving)).sum()
    }

    fn answered(&self, prefix: &Prefix, answered: &Answered) {
        for member in self.state().members.values().filter(|m| m.env.prefix == *prefix) {
            member.waiter.do_send(answered.clone());
        }
    }
}

impl Member {
    fn offer(&self, arriving: &Arriving) -> u64 {
        let first = (arriving.signal.clone(), SubscriptionId(0));
        let mut receivers = 0;
        for ((signal, _), inlet) in self.subscriptions.range(first..) {
            if *signal != arriving.signal {
                break;
            }
            inlet.offer(arriving.clone());
            receivers += 1;
        }
        receivers
    }
}

struct Adapter {
    hub: MemoryBus,
    member: u64,
    waiter: Addr<Waiter>,
    context: AdapterContext,
    closed: bool,
}

impl Adapter {
    fn deliver(&self, address: Address, body: Bytes) -> u64 {
        let prefix = &self.context.env.prefix;
        match address {
            Address::Signal { signal, sender } => {
                self.hub.signal(prefix, &Arriving { signal, sender, call: None, body })
            }
            Address::Answer { responder, call } => {
                self.hub.answered(prefix, &Answered { responder, call, body, is_error: false });
                0
            }
            Address::AnswerError { responder, call } => {
                self.hub.answered(prefix, &Answered { responder, call, body, is_error: true });
                0
            }
        }
    }
}

impl Actor for Adapter {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.context.state.send_replace(ConnectionState::Up);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.hub.state().members.remove(&self.member);
    }
}

impl Handler<Publish> for Adapter {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Context<Self>) {
        let Publish { address, body, reply, .. } = publish;
        if self.closed {
            return reply.send(Err(SendError::not_sent("the bus is closed")));
        }
        self.context.env.told_sent(&address);
        reply.send(Ok(Some(self.deliver(address, body))));
    }
}

impl Handler<Call> for Adapter {
    type Result = ();

    fn handle(&mut self, call: Call, _: &mut Context<Self>) {
        let Call { signal, sender, id, body, deadline, mode, permit } = call;
        self.waiter.do_send(Expect { id: id.clone(), signal: signal.clone(), deadline, mode, permit });
        if self.closed {
            let error = CallError::Disconnected { signal: signal.to_string(), reason: "the bus is closed".into() };
            return self.waiter.do_send(Fail { id, error });
        }
        let arriving = Arriving { signal: signal.clone(), sender, call: Some(id.clone()), body };
        if self.hub.signal(&self.context.env.prefix, &arriving) == 0 {
            self.waiter.do_send(Fail { id, error: CallError::NobodyListening { signal: signal.to_string() } });
        }
    }
}

impl Handler<Subscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut Context<Self>) {
        let Subscribe { id, signal, inlet, reply } = subscribe;
        if let Some(member) = self.hub.state().members.get_mut(&self.member) {
            member.subscriptions.insert((signal, id), inlet);
        }
        reply.send(Ok(()));
    }
}

impl Handler<Unsubscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, unsubscribe: Unsubscribe, _: &mut Context<Self>) {
        if let Some(member) = self.hub.state().members.get_mut(&self.member) {
            member.subscriptions.retain(|(_, id), _| *id != unsubscribe.id);
        }
        unsubscribe.reply.send(());
    }
}

impl Handler<DescribeBus> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBus, _: &mut Context<Self>) {
        let capabilities = Capabilities { ordered: true, receiver_counts: true, ..Capabilities::default() };
        let mut description = Description::new("memory", "memory://".to_owned(), capabilities);
        description.connection = self.context.state.borrow().clone();
        describe.0.send(description);
    }
}

impl Handler<CloseBus> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBus, _: &mut Context<Self>) {
        if !self.closed {
            self.closed = true;
            self.hub.state().members.remove(&self.member);
            self.waiter.do_send(FailAll { reason: "the bus was closed".to_owned() });
            self.context.state.send_replace(ConnectionState::Closed);
        }
        close.reply.send(());
    }
}
