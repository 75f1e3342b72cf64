//! The bus in memory: the semantics of Redis pub/sub, without a server.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Actor, Context, Handler};
use formicary_protocol::{Bytes, Prefix};

use super::receive::{Incoming, read};
use super::{Bus, BusPort};
use crate::contract::{
    Address, Arriving, Call, Capabilities, CloseBus, ConnectionState, DescribeBus, Description, Publish, SignalInlet,
    Subscribe, SubscriptionId, Unsubscribe,
};
use crate::error::{CallError, Error, SendError};
use crate::waiter::{Answered, Expect, Fail, FailAll, Waiter, WaiterPort};
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

/// One group on the bus.
struct Member {
    env: Env,
    waiter: WaiterPort,
    /// In order of their ids, so no hash map decides who hears first.
    subscriptions: BTreeMap<Arc<str>, BTreeMap<SubscriptionId, Arc<dyn SignalInlet>>>,
    signals: HashMap<SubscriptionId, Arc<str>>,
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
        let waiter = Waiter::begin(env.events.clone());
        let member = {
            let mut hub = self.state();
            hub.attached += 1;
            let member = hub.attached;
            let (subscriptions, signals) = (BTreeMap::new(), HashMap::new());
            hub.members.insert(member, Member { env: env.clone(), waiter: waiter.clone(), subscriptions, signals });
            member
        };
        let port = BusPort::start(Adapter { hub: self.clone(), member, waiter, context, closed: false });
        Bus::new(port, env, state)
    }

    /// Publishes what another program might: any bytes on any channel. Returns the number of receivers.
    pub fn publish_raw(&self, channel: &[u8], body: &[u8]) -> u64 {
        let body = Bytes::copy_from_slice(body);
        let mut receivers = 0;
        for member in self.state().members.values() {
            match read(&member.env, channel, body.clone()) {
                Some(Incoming::Signal(arriving)) => {
                    let signal = arriving.signal.clone();
                    receivers += to_each(member.inlets(&signal), arriving, offer);
                }
                Some(Incoming::Answer { responder, call, body }) => {
                    member.waiter.put(Answered { responder, call, body, is_error: false });
                }
                Some(Incoming::AnswerError { responder, call, body }) => {
                    member.waiter.put(Answered { responder, call, body, is_error: true });
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

    fn signal(&self, prefix: &Prefix, arriving: Arriving) -> u64 {
        let state = self.state();
        let signal = arriving.signal.clone();
        to_each(state.of(prefix).flat_map(|member| member.inlets(&signal)), arriving, offer)
    }

    fn answered(&self, prefix: &Prefix, answered: Answered) {
        to_each(self.state().of(prefix), answered, |member, answered| member.waiter.put(answered));
    }
}

impl State {
    fn of(&self, prefix: &Prefix) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| member.env.prefix == *prefix)
    }
}

impl Member {
    fn inlets(&self, signal: &str) -> impl Iterator<Item = &Arc<dyn SignalInlet>> {
        self.subscriptions.get(signal).into_iter().flat_map(BTreeMap::values)
    }

    fn subscribe(&mut self, signal: Arc<str>, id: SubscriptionId, inlet: Arc<dyn SignalInlet>) {
        // One name for all subscriptions of a signal.
        let name = self.subscriptions.get_key_value(&signal).map_or(signal, |(name, _)| name.clone());
        self.signals.insert(id, name.clone());
        self.subscriptions.entry(name).or_default().insert(id, inlet);
    }

    fn unsubscribe(&mut self, id: SubscriptionId) {
        let Some(signal) = self.signals.remove(&id) else { return };
        let Some(inlets) = self.subscriptions.get_mut(&signal) else { return };
        inlets.remove(&id);
        if inlets.is_empty() {
            self.subscriptions.remove(&signal);
        }
    }
}

fn offer(inlet: &Arc<dyn SignalInlet>, arriving: Arriving) {
    inlet.offer(arriving);
}

/// Gives something to each, and to the last one without a copy. Returns how many there were.
fn to_each<'a, T: 'a + ?Sized, I: Clone>(
    mut all: impl Iterator<Item = &'a T>,
    item: I,
    give: impl Fn(&'a T, I),
) -> u64 {
    let Some(mut last) = all.next() else { return 0 };
    let mut count = 1;
    for next in all {
        give(last, item.clone());
        last = next;
        count += 1;
    }
    give(last, item);
    count
}

struct Adapter {
    hub: MemoryBus,
    member: u64,
    waiter: WaiterPort,
    context: AdapterContext,
    closed: bool,
}

impl Adapter {
    fn deliver(&self, address: Address, body: Bytes) -> u64 {
        let prefix = &self.context.env.prefix;
        match address {
            Address::Signal { signal, sender } => {
                self.hub.signal(prefix, Arriving { signal, sender, call: None, body })
            }
            Address::Answer { responder, call } => {
                self.hub.answered(prefix, Answered { responder, call, body, is_error: false });
                0
            }
            Address::AnswerError { responder, call } => {
                self.hub.answered(prefix, Answered { responder, call, body, is_error: true });
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
        self.waiter.put(Expect { id: id.clone(), signal: signal.clone(), deadline, mode, permit });
        if self.closed {
            let error = CallError::Disconnected { signal: signal.to_string(), reason: "the bus is closed".into() };
            return self.waiter.put(Fail { id, error });
        }
        let arriving = Arriving { signal: signal.clone(), sender, call: Some(id.clone()), body };
        if self.hub.signal(&self.context.env.prefix, arriving) == 0 {
            self.waiter.put(Fail { id, error: CallError::NobodyListening { signal: signal.to_string() } });
        }
    }
}

impl Handler<Subscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut Context<Self>) {
        let Subscribe { id, signal, inlet, reply } = subscribe;
        if self.closed {
            return reply.send(Err(Error::Closed("the bus")));
        }
        if let Some(member) = self.hub.state().members.get_mut(&self.member) {
            member.subscribe(signal, id, inlet);
        }
        reply.send(Ok(()));
    }
}

impl Handler<Unsubscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, unsubscribe: Unsubscribe, _: &mut Context<Self>) {
        if let Some(member) = self.hub.state().members.get_mut(&self.member) {
            member.unsubscribe(unsubscribe.id);
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
            self.waiter.put(FailAll { reason: "the bus was closed".to_owned() });
            self.context.state.send_replace(ConnectionState::Closed);
        }
        close.reply.send(());
    }
}
