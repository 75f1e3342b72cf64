//! The broker in memory: the semantics of the Redis broker, without a server and without its persistence.

mod adapter;
mod exchanges;
mod held;
mod message;
mod queue;
mod requests;
mod seen;
mod send;
mod settle;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::WeakRecipient;
use formicary_protocol::Bytes;
use tokio::time::Instant;

use self::adapter::{Adapter, Wake};
use self::exchanges::{Exchanges, Route};
use self::held::Held;
use self::message::Message;
use self::queue::QueueState;
use self::seen::Remembered;
use super::{Broker, BrokerPort};
use crate::contract::{Outgoing, Seen};
use crate::{AdapterContext, Env};

/// What `memory://` stands for: the queues of every group that shares it.
///
/// A group makes its own; a test may make one and give it to several groups, which then share queues as processes do
/// that share a Redis. What is in it ends with its last handle.
///
/// A queue that a group declares with an exchange is bound to it from the start of that group on, whether or not anybody
/// consumes it, and for as long as the broker lives: as on RabbitMQ. A message for the exchange goes into each queue that
/// takes it, and is from then on a matter of that queue alone: its attempts, its dead letter, its replay. What no queue
/// takes is refused.
#[derive(Clone)]
pub struct MemoryBroker {
    state: Arc<Mutex<State>>,
    capacity: NonZeroUsize,
    /// Whether it takes and delivers what travels beside a body, as a RabbitMQ does, or refuses it, as a Redis.
    headers: bool,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<Arc<str>, QueueState>,
    exchanges: Exchanges,
    members: BTreeMap<u64, WeakRecipient<Wake>>,
    attached: u64,
}

impl std::fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBroker").field("queues", &self.state().queues.len()).finish()
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        const CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000_000).unwrap();
        Self::with_capacity(CAPACITY)
    }
}

impl MemoryBroker {
    /// A broker of its own, whose queues hold 1,000,000 messages each.
    pub fn new() -> Self {
        Self::default()
    }

    /// A broker whose queues hold so many messages each; one more is refused, as by a Redis whose memory is full. What comes
    /// with an acknowledgement is taken beyond it, as there.
    ///
    /// Each queue also holds so many dead letters, and so many keys of `dedup` within their windows. Beyond, the oldest
    /// letters, and the keys whose windows end first, are forgotten, which a log line tells once a minute.
    pub fn with_capacity(capacity: NonZeroUsize) -> Self {
        Self { state: Arc::default(), capacity, headers: false }
    }

    /// A broker that takes ids, keys and headers too, and delivers them with their message.
    pub(crate) fn with_headers() -> Self {
        Self { headers: true, ..Self::default() }
    }

    /// Starts an adapter for one group on the current arbiter.
    pub fn start(&self, env: Env) -> Broker {
        let mut state = self.state();
        for queue in env.declarations.queues() {
            // Whoever uses the queue is told of a contradiction to another group at the start.
            state.exchanges.bind(queue).ok();
        }
        drop(state);
        let (context, state) = AdapterContext::new(env.clone());
        let port = BrokerPort::start(Adapter::new(self.clone(), context));
        Broker::new(port, env, state)
    }

    /// Puts what another program might into a queue: any bytes.
    pub fn push_raw(&self, queue: &str, body: &[u8]) {
        self.state().queue(&queue.into()).push(Bytes::copy_from_slice(body).into());
        self.wake();
    }

    /// Why a message would go nowhere, if it would.
    pub(crate) fn unroutable(&self, env: &Env, outgoing: &Outgoing) -> Option<String> {
        self.state().exchanges.route(&env.declarations, outgoing).err()
    }

    fn wake(&self) {
        let members: Vec<_> = self.state().members.values().filter_map(WeakRecipient::upgrade).collect();
        members.iter().for_each(|member| member.do_send(Wake));
    }

    /// Remembers a key of a queue, as an acknowledgement does. `false` when it is remembered already.
    pub(crate) fn remember(&self, queue: &Arc<str>, seen: Seen) -> bool {
        self.state().queue(queue).seen.remember(seen, self.capacity.get()) != Remembered::Known
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come from an inlet, after the tables were brought up to date.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, name: &Arc<str>) -> &mut QueueState {
        self.queues.entry(name.clone()).or_default()
    }

    /// Puts a message where its route leads, and returns those queues.
    fn put(&mut self, env: &Env, outgoing: Outgoing, route: Route) -> Route {
        let Outgoing { queue: sent_to, body, options } = outgoing;
        env.told_queued(&sent_to);
        let delay = options.delay;
        let message = Message::new(body, options);
        for queue in route.queues(&sent_to) {
            let queue = self.queue(queue);
            match delay {
                None => queue.push(message.clone()),
                Some(delay) => queue.delay(crate::clock::after(delay), Held::new(env, message.clone())),
            }
        }
        route
    }

    /// Delivers what can be delivered of one queue. Returns when the next delay ends.
    fn pump(&mut self, queue: &Arc<str>) -> Option<Instant> {
        self.queues.get_mut(queue)?.pump()
    }
}
