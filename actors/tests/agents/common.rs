//! The signals and queues of these tests, and a stage for them.

use std::sync::{Arc, Mutex};

use formicary_actors::broker::MemoryBroker;
use formicary_actors::bus::MemoryBus;
use formicary_actors::group::{BrokerConfig, BusConfig, Group, GroupBuilder};
use formicary_protocol::{Declarations, Field, Queue, Signal, Value};
use serde::{Deserialize, Serialize};

macro_rules! signal {
    ($name:ident, $wire:literal, $answer:ty) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
signal!(Tell, "tell", ());

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        {"name": "ask", "providing_args": ["n"], "types": {"n": "u64"}, "answer": "u64"},
        {"name": "tell", "providing_args": ["n"]}
    ], "queues": [{"name": "jobs", "message": {"n": "u64"}}]}"#;
    Declarations::parse(text, "test").unwrap()
}

/// Where a test runs: in memory with a paused clock, or on a real Redis.
pub enum Stage {
    Memory {
        bus: MemoryBus,
        broker: MemoryBroker,
    },
    #[cfg(feature = "redis")]
    Redis(formicary_test_support::redis::Server),
}

impl Stage {
    pub fn memory() -> Self {
        tokio::time::pause();
        Self::Memory { bus: MemoryBus::new(), broker: MemoryBroker::new() }
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
        }
    }

    /// Publishes what another program might.
    pub async fn publish_raw(&self, channel: &[u8], body: &[u8]) {
        match self {
            Self::Memory { bus, .. } => drop(bus.publish_raw(channel, body)),
            #[cfg(feature = "redis")]
            Self::Redis(server) => drop(server.command(&[b"PUBLISH", channel, body]).await.unwrap()),
        }
    }

    /// Puts into a queue what another program might.
    pub async fn push_raw(&self, queue: &str, body: &[u8]) {
        match self {
            Self::Memory { broker, .. } => broker.push_raw(queue, body),
            #[cfg(feature = "redis")]
            Self::Redis(server) => drop(server.command(&[b"RPUSH", queue.as_bytes(), body]).await.unwrap()),
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
        #[cfg(feature = "redis")]
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

    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|l| *l == line).count()
    }
}

pub use formicary_test_support::wait::until;

pub const SOON: std::time::Duration = std::time::Duration::from_secs(10);
