//! A Python and a Rust consumer side by side on one queue.

use std::collections::BTreeSet;
use std::time::Duration;

use formicary::prelude::*;
use formicary::{EventKind, Exit};
use formicary_test_support::process::Signal;
use formicary_test_support::python::Peer;
use formicary_test_support::wait;
use serde_json::json;

use super::stage::{Stage, taken};
use crate::queues;
use crate::stage::{Log, SOON, command};

/// Every tenth fails the first time.
struct Careless(Log);

#[agent]
impl Careless {
    #[consumer(queues::Letters, concurrency = 4, retry(attempts = 3, backoff = "constant", first = "100ms"))]
    async fn take(&self, letter: queues::Letters, delivery: Delivery) -> Result {
        if letter.n.is_multiple_of(10) && delivery.attempt() == 1 {
            Err("the first attempt of every tenth fails")?;
        }
        self.0.add(json!(letter.n));
        Ok(())
    }
}

async fn push(group: &Group, numbers: std::ops::Range<u64>) {
    for n in numbers {
        group.broker().send::<queues::Letters>(&queues::Letters { text: "ours 🐜".into(), n }).await.unwrap();
    }
}

async fn push_python(peer: &Peer, numbers: std::ops::Range<u64>) {
    for n in numbers.clone() {
        peer.send(&json!({"do": "queue_send", "queue": "letters", "message": {"text": "theirs 🐜", "n": n}, "id": n}));
    }
    peer.wait_json(|line| line["id"] == numbers.end - 1, SOON).await;
}

fn taken_by(peer: &Peer) -> Vec<u64> {
    let lines = peer.jsons(|line| line["consumed"] == "letters");
    lines.iter().map(|line| line["message"]["n"].as_u64().unwrap()).collect()
}

#[actix::test]
async fn on_rabbitmq_nothing_is_lost_between_a_python_and_a_rust_consumer() {
    let test = "on_rabbitmq_nothing_is_lost_between_a_python_and_a_rust_consumer";
    let Some(stage) = Stage::new(test).await else { return };
    let (peer, log) = (stage.peer(&["--consume", "letters"]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Careless(seen.clone())).start().await.unwrap();
    tokio::join!(push(&group, 0..100), push_python(&peer, 100..200));
    // A retry goes back to the queue, where Python may take it.
    wait::until(SOON, "all to be handled", async || match (log.all().len(), taken_by(&peer).len()) {
        (ours, theirs) if ours + theirs >= 200 => Ok(()),
        both => Err(both),
    })
    .await;
    let ours: Vec<u64> = log.all().iter().map(|n| n.as_u64().unwrap()).collect();
    let theirs = taken_by(&peer);
    let all: BTreeSet<u64> = ours.iter().chain(&theirs).copied().collect();
    assert_eq!((ours.len() + theirs.len(), all.len()), (200, 200), "one was handled twice: {ours:?} {theirs:?}");
    assert!(!ours.is_empty() && !theirs.is_empty());
    wait::until(SOON, "an empty queue", async || group.broker().inspect("letters").await.unwrap().left() == 0).await;
    assert_eq!(group.events().count(EventKind::DeadLettered), 0);
    assert_eq!(group.stop().await, Exit::Clean);
}

#[actix::test]
async fn on_rabbitmq_what_a_killed_python_held_rust_handles() {
    let Some(stage) = Stage::new("on_rabbitmq_what_a_killed_python_held_rust_handles").await else { return };
    // An error leaves a message in Python's hands: it is neither acknowledged nor returned.
    let peer = stage.peer(&["--consume", "letters", "--fail-first", "5"]).await;
    for n in 1..=5 {
        command(&peer, json!({"do": "queue_send", "queue": "letters", "message": {"text": "x", "n": n}})).await;
    }
    taken(&peer, "letters", 5).await;
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Careless(seen.clone())).start().await.unwrap();
    assert_eq!(stage.place.queue("letters").await.unwrap().unacked, 5);
    peer.process().signal(Signal::KILL);
    let mut ours: Vec<u64> = log.until(5).await.iter().map(|n| n.as_u64().unwrap()).collect();
    ours.sort_unstable();
    assert_eq!(ours, [1, 2, 3, 4, 5]);
    group.stop_within(Duration::from_secs(5)).await;
}
