//! A stage for these tests, and what they write down.

use std::sync::{Arc, Mutex};

use formicary_actors::broker::MemoryBroker;
use formicary_actors::bus::MemoryBus;
use formicary_actors::group::{BrokerConfig, BusConfig, Group, GroupBuilder};

/// Where a test runs: in memory with a paused clock, on a real Redis, or on a real RabbitMQ.
pub enum Stage {
    Memory {
        bus: MemoryBus,
        broker: MemoryBroker,
    },
    #[cfg(feature = "redis")]
    Redis(formicary_test_support::redis::Server),
    #[cfg(feature = "amqp")]
    RabbitMq(formicary_test_support::rabbitmq::Place<'static>),
}

impl Stage {
    pub fn memory() -> Self {
        tokio::time::pause();
        Self::Memory { bus: MemoryBus::new(), broker: MemoryBroker::new() }
    }

    /// Lets time pass as it does: other threads know nothing of a paused clock.
    pub fn real_time(&self) {
        if let Self::Memory { .. } = self {
            tokio::time::resume();
        }
    }

    /// A group on this stage; several share its bus and broker.
    pub fn group(&self) -> GroupBuilder {
        let group = Group::builder().declarations(declarations());
        match self {
            Self::Memory { bus, broker } => {
                group.bus(BusConfig::memory(bus.clone())).broker(BrokerConfig::memory(broker.clone()))
            }
            #[cfg(feature = "redis")]
            Self::Redis(server) => group.bus(server.url().parse().unwrap()).broker(server.url().parse().unwrap()),
            #[cfg(feature = "amqp")]
            Self::RabbitMq(place) => group.bus(place.url().parse().unwrap()).broker(place.url().parse().unwrap()),
        }
    }

    /// What a publish tells when so many hear it: RabbitMQ does not count them.
    pub fn receivers(&self, count: u64) -> Option<u64> {
        (!self.is_rabbitmq()).then_some(count)
    }

    pub fn is_rabbitmq(&self) -> bool {
        #[cfg(feature = "amqp")]
        return matches!(self, Self::RabbitMq(_));
        #[cfg(not(feature = "amqp"))]
        false
    }

    /// Publishes what another program might, to a channel as Redis names it.
    pub async fn publish_raw(&self, channel: &[u8], body: &[u8]) {
        match self {
            Self::Memory { bus, .. } => drop(bus.publish_raw(channel, body)),
            #[cfg(feature = "redis")]
            Self::Redis(server) => drop(server.command(&[b"PUBLISH", channel, body]).await.unwrap()),
            #[cfg(feature = "amqp")]
            Self::RabbitMq(place) => {
                let mut parts = channel.splitn(3, |byte| *byte == b':');
                let mut next = || parts.next().unwrap();
                let (exchange, signal, sender) = (str::from_utf8(next()).unwrap(), next(), next());
                place.publish_odd(exchange, &[signal, sender].join(&b'.'), "[]", body).await;
            }
        }
    }

    /// Puts into a queue what another program might, before or after it has a consumer.
    pub async fn push_raw(&self, queue: &str, body: &[u8]) {
        match self {
            Self::Memory { broker, .. } => broker.push_raw(queue, body),
            #[cfg(feature = "redis")]
            Self::Redis(server) => drop(server.command(&[b"RPUSH", queue.as_bytes(), body]).await.unwrap()),
            #[cfg(feature = "amqp")]
            Self::RabbitMq(place) => {
                place.declare_queue(queue).await;
                place.publish_odd("", queue.as_bytes(), "[]", body).await;
            }
        }
    }
}

/// What happened, in order, seen from every thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|l| *l == line).count()
    }
}

thread_local! {
    /// What declarations write to: they know no instance. Each test runs on a thread of its own.
    static SEEN: Log = Log::default();
}

/// This test's log, with nothing in it.
pub fn fresh() -> Log {
    SEEN.with(Log::clear);
    seen()
}

/// This test's log, for a declaration.
pub fn seen() -> Log {
    SEEN.with(Log::clone)
}

impl Log {
    /// Holds the thread until the log says `go`, as a handler that computes or blocks would.
    pub fn hold(&self) {
        let begun = std::time::Instant::now();
        while self.count("go") == 0 && begun.elapsed() < SOON {
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }
}

pub use formicary_test_support::cast::*;
pub use formicary_test_support::wait::until;
pub use formicary_test_support::{on_both, on_each};

pub const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// Sends a job.
pub async fn send(group: &Group, n: u64) {
    group.broker().send::<Job>(&Job { n }).await.unwrap();
}

pub fn many(n: usize) -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::new(n).unwrap()
}
