//! The queue `jobs` as the server has it.

pub mod rabbitmq;
pub mod redis;

use std::ops::Range;

use formicary::Broker;
use formicary::contract::{Counts, Letters};
use formicary::protocol::{DeadReason, Entry};

use crate::common::*;
use crate::server::Server;

pub fn bodies(numbers: Range<u64>) -> Vec<String> {
    numbers.map(|n| format!("{{\"n\": {n}}}")).collect()
}

impl Server {
    /// Pushes messages as any program would; what is pushed outlives the server's end.
    pub async fn push(&self, numbers: Range<u64>) {
        self.push_bodies(&bodies(numbers)).await;
    }

    pub async fn push_bodies(&self, bodies: &[String]) {
        match self {
            Self::Redis(redis) => redis::push_bodies(redis, bodies).await,
            _ => rabbitmq::push_bodies(&self.url(), bodies).await,
        }
    }

    /// How many messages are in the hands of consumers, in whichever process.
    pub async fn taken(&self) -> u64 {
        match self {
            Self::Redis(redis) => redis::taken(redis).await,
            _ => rabbitmq::counts(&self.place().await).await.in_flight,
        }
    }

    /// What the queue holds, as the server tells it. On RabbitMQ dead letters have no reasons here: see [`dead_by`].
    pub async fn counts(&self, broker: &Broker) -> Counts {
        match self {
            Self::Redis(_) => broker.inspect("jobs").await.unwrap(),
            _ => rabbitmq::counts(&self.place().await).await,
        }
    }

    /// Waits until nothing of the queue is left to be handled; returns what it holds then.
    pub async fn drained(&self, broker: &Broker) -> Counts {
        if let Self::Redis(_) = self {
            return redis::drained(broker).await;
        }
        let mut was_empty = false;
        until(LONG, "an empty queue", async || {
            let counts = self.counts(broker).await;
            // The server is asked for one queue after the other, and a delay may end between its answers: two in a row hold.
            let enough = was_empty && counts.left() == 0;
            was_empty = counts.left() == 0;
            if enough { Ok(counts) } else { Err(counts) }
        })
        .await
    }

    /// The entries that wait for the end of a delay.
    pub async fn delayed(&self) -> Vec<Entry> {
        match self {
            Self::Redis(redis) => redis::delayed(redis).await,
            _ => rabbitmq::delayed(&self.place().await).await,
        }
    }

    /// The bodies that wait in another queue.
    pub async fn waiting(&self, queue: &str) -> Vec<String> {
        match self {
            Self::Redis(redis) => redis::waiting(redis, queue).await,
            _ => rabbitmq::waiting(&self.url(), queue).await,
        }
    }
}

/// How many dead letters there are for a reason.
pub async fn dead_by(broker: &Broker, reason: DeadReason) -> u64 {
    broker.peek("jobs", Letters::of(reason)).await.unwrap().len() as u64
}
