//! As a Redis has it.

use std::collections::BTreeMap;

use formicary::Broker;
use formicary::contract::Counts;
use formicary::protocol::Entry;
use formicary_test_support::redis::Server;

use crate::common::*;

pub async fn push(server: &Server, numbers: std::ops::Range<u64>) {
    push_bodies(server, &super::bodies(numbers)).await;
}

pub async fn push_bodies(server: &Server, bodies: &[String]) {
    for some in bodies.chunks(1_000) {
        let command: Vec<&str> = ["RPUSH", "jobs"].into_iter().chain(some.iter().map(String::as_str)).collect();
        server.command(&command).await.unwrap();
    }
}

pub async fn taken(server: &Server) -> u64 {
    places(server).await.into_values().sum()
}

/// The places of consumers, with how many messages stand in each.
pub async fn places(server: &Server) -> BTreeMap<String, u64> {
    let mut places = BTreeMap::new();
    for key in server.command(&["KEYS", "jobs:taken:*"]).await.unwrap().array() {
        let key = key.text().unwrap();
        let held = server.command(&["HLEN", &key]).await.unwrap().integer().unwrap();
        places.insert(key, held.try_into().unwrap());
    }
    places
}

pub async fn delayed(server: &Server) -> Vec<Entry> {
    let entries = server.command(&["ZRANGE", "jobs:delayed", "0", "-1"]).await.unwrap();
    entries.array().iter().map(|entry| Entry::decode(entry.bytes().unwrap()).unwrap()).collect()
}

pub async fn waiting(server: &Server, queue: &str) -> Vec<String> {
    let bodies = server.command(&["LRANGE", queue, "0", "-1"]).await.unwrap();
    bodies.array().iter().map(|body| body.text().unwrap()).collect()
}

/// Waits until nothing of the queue is left to be handled; returns what it holds then.
pub async fn drained(broker: &Broker) -> Counts {
    until(LONG, "an empty queue", async || match broker.inspect("jobs").await {
        Ok(counts) if counts.left() == 0 => Ok(counts),
        other => Err(other),
    })
    .await
}
