//! The signals and the queue of these tests, and a stage for them.

use std::time::Duration;

use formicary::events::{Event, Listener};
use formicary::prelude::*;
use formicary::protocol::Field;
use formicary::{BrokerConfig, Bus, BusConfig, Declarations, GroupBuilder, MemoryBroker, MemoryBus};
use formicary_test_support::redis::Server;
use serde::{Deserialize, Serialize};

macro_rules! signal {
    ($name:ident, $wire:literal, $answer:ty) => {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct $name {
            pub n: u64,
        }

        impl Signal for $name {
            const NAME: &'static str = $wire;
            type Answer = $answer;

            fn fields() -> Vec<Field> {
                vec![Field::of::<u64>("n")]
            }
        }
    };
}

signal!(Ping, "ping", Value);
signal!(Pong, "pong", Value);
signal!(Ask, "ask", u64);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub n: u64,
}

impl Queue for Job {
    const NAME: &'static str = "jobs";
    type Message = Self;

    fn fields() -> Option<Vec<Field>> {
        Some(vec![Field::of::<u64>("n")])
    }
}

pub fn declarations() -> Declarations {
    let text = r#"{"signals": [
        {"name": "ping", "providing_args": ["n"]},
        {"name": "pong", "providing_args": ["n"]},
        {"name": "ask", "providing_args": ["n"], "types": {"n": "u64"}, "answer": "u64"}
    ], "queues": [{"name": "jobs", "message": {"n": "u64"}}]}"#;
    Declarations::parse(text, "faults").unwrap()
}

/// A group whose bus and broker are at this URL.
pub fn group_at(url: &str) -> GroupBuilder {
    Group::builder().declarations(declarations()).bus(url.parse().unwrap()).broker(url.parse().unwrap())
}

/// Where a test runs: in memory, with a real clock, or on a Redis.
pub enum Stage {
    Memory { bus: MemoryBus, broker: MemoryBroker },
    Redis(Server),
}

impl Stage {
    pub fn memory() -> Self {
        Self::Memory { bus: MemoryBus::new(), broker: MemoryBroker::new() }
    }

    /// A group on this stage; several share its bus and broker as processes do that share a Redis.
    pub fn group(&self) -> GroupBuilder {
        match self {
            Self::Memory { bus, broker } => Group::builder()
                .declarations(declarations())
                .bus(BusConfig::memory(bus.clone()))
                .broker(BrokerConfig::memory(broker.clone())),
            Self::Redis(server) => group_at(&server.url()),
        }
    }
}

/// Makes two tests out of a body: one in memory, one on Redis.
macro_rules! on_both {
    ($($name:ident,)+) => {
        mod memory {
            $(
                #[actix::test]
                async fn $name() {
                    super::$name(&crate::common::Stage::memory()).await;
                }
            )+
        }
        mod redis {
            $(
                #[actix::test]
                async fn $name() {
                    if !formicary_test_support::require_redis(concat!(module_path!(), "::", stringify!($name))) {
                        return;
                    }
                    let server = formicary_test_support::redis::Server::start().await;
                    super::$name(&crate::common::Stage::Redis(server)).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;

/// Makes a test on Redis out of a body.
macro_rules! on_redis {
    ($($name:ident,)+) => {
        mod redis {
            $(
                #[actix::test]
                async fn $name() {
                    if !formicary_test_support::require_redis(concat!(module_path!(), "::", stringify!($name))) {
                        return;
                    }
                    super::$name().await;
                }
            )+
        }
    };
}
pub(crate) use on_redis;

pub use formicary_test_support::wait::until;

pub const SOON: Duration = Duration::from_secs(10);

/// The events that were there, and nothing that comes later.
pub fn heard(listener: &mut Listener) -> Vec<Event> {
    std::iter::from_fn(|| listener.try_next()).collect()
}

/// Publishes from outside of any agent.
pub async fn ping(bus: &Bus, n: u64) {
    bus.publish("test", &Ping { n }).await.unwrap();
}
