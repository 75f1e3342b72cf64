//! A stage for these tests.

use std::time::Duration;

use formicary::events::{Event, Listener};
use formicary::{BrokerConfig, Bus, BusConfig, Group, GroupBuilder, MemoryBroker, MemoryBus};
use formicary_test_support::{rabbitmq, redis};

/// A group whose bus and broker are at this URL.
pub fn group_at(url: &str) -> GroupBuilder {
    Group::builder().declarations(declarations()).bus(url.parse().unwrap()).broker(url.parse().unwrap())
}

/// Where a test runs: in memory, with a real clock, on a Redis, or on a RabbitMQ.
pub enum Stage {
    Memory { bus: MemoryBus, broker: MemoryBroker },
    Redis(redis::Server),
    RabbitMq(rabbitmq::Place<'static>),
}

impl Stage {
    pub fn memory() -> Self {
        Self::Memory { bus: MemoryBus::new(), broker: MemoryBroker::new() }
    }

    /// A group on this stage; several share its bus and broker as processes do that share a server.
    pub fn group(&self) -> GroupBuilder {
        match self {
            Self::Memory { bus, broker } => Group::builder()
                .declarations(declarations())
                .bus(BusConfig::memory(bus.clone()))
                .broker(BrokerConfig::memory(broker.clone())),
            Self::Redis(server) => group_at(&server.url()),
            Self::RabbitMq(place) => group_at(&place.url()),
        }
    }
}

pub use formicary_test_support::cast::*;
pub use formicary_test_support::wait::until;
pub use formicary_test_support::{on_each, on_redis, on_servers};

pub const SOON: Duration = Duration::from_secs(10);
/// How much later than its time a thing may be on a busy machine.
pub const SLACK: Duration = Duration::from_millis(500);
/// For what takes its time.
pub const LONG: Duration = Duration::from_secs(60);

/// The events that were there, and nothing that comes later.
pub fn heard(listener: &mut Listener) -> Vec<Event> {
    std::iter::from_fn(|| listener.try_next()).collect()
}

/// Publishes from outside of any agent.
pub async fn ping(bus: &Bus, n: u64) {
    bus.publish("test", &Ping { n }).await.unwrap();
}
