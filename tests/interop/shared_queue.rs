//! A Python and a Rust consumer side by side on one list.

use std::collections::BTreeSet;
use std::time::Duration;

use formicary::prelude::*;
use formicary::{EventKind, Exit};
use formicary_test_support::python::Peer;
use formicary_test_support::wait;
use serde_json::json;
use tokio::sync::watch;

use crate::queues;
use crate::stage::{Log, SOON, Stage, command};

/// Holds at most four messages, and handles them once the gate is open. Every tenth fails the first time.
struct Gated {
    gate: watch::Receiver<bool>,
    log: Log,
}

#[agent]
impl Gated {
    #[consumer(queues::Letters, concurrency = 4)]
    async fn take(&self, letter: queues::Letters, delivery: Delivery) -> Result {
        self.gate.clone().wait_for(|open| *open).await?;
        if letter.n.is_multiple_of(10) && delivery.attempt() == 1 {
            Err("the first attempt of every tenth fails")?;
        }
        self.log.add(json!(letter.n));
        Ok(())
    }
}

async fn gated(stage: &Stage, gate: &watch::Sender<bool>, log: &Log) -> Group {
    let (gate, log) = (gate.subscribe(), log.clone());
    stage.group().agent(move || Gated { gate: gate.clone(), log: log.clone() }).start().await.unwrap()
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

async fn in_flight(group: &Group, count: u64) {
    wait::until(SOON, format!("{count} in flight"), async || match group.broker().inspect("letters").await.unwrap() {
        counts if counts.in_flight == count && counts.waiting == 0 => Ok(()),
        counts => Err(counts),
    })
    .await;
}

fn taken_by(peer: &Peer) -> Vec<u64> {
    let lines = peer.jsons(|line| line["consumed"] == "letters");
    lines.iter().map(|line| line["message"]["n"].as_u64().unwrap()).collect()
}

#[actix::test]
async fn nothing_is_lost_between_a_python_and_a_rust_consumer() {
    let Some(stage) = Stage::new("nothing_is_lost_between_a_python_and_a_rust_consumer").await else { return };
    let (gate, log) = (watch::Sender::new(false), Log::default());
    let group = gated(&stage, &gate, &log).await;
    push(&group, 0..4).await;
    in_flight(&group, 4).await;

    // Ours has all that it may hold: these are Python's.
    let peer = stage.peer(&["--consume", "letters"]).await;
    push(&group, 4..50).await;
    push_python(&peer, 50..100).await;
    peer.wait_jsons(96, |line| line["consumed"] == "letters", SOON).await;

    // These go to whoever is quicker.
    gate.send_replace(true);
    tokio::join!(push(&group, 100..200), push_python(&peer, 200..300));
    wait::until(SOON, "all to be handled", async || match (log.all().len(), taken_by(&peer).len()) {
        (ours, theirs) if ours + theirs >= 300 => Ok(()),
        both => Err(both),
    })
    .await;

    let ours: Vec<u64> = log.all().iter().map(|n| n.as_u64().unwrap()).collect();
    let theirs = taken_by(&peer);
    assert!((0..4).all(|n| ours.contains(&n)), "{ours:?}");
    assert!((4..100).all(|n| theirs.contains(&n)), "{theirs:?}");
    let all: BTreeSet<u64> = ours.iter().chain(&theirs).copied().collect();
    assert_eq!((ours.len() + theirs.len(), all.len()), (300, 300), "one was handled twice: {ours:?} {theirs:?}");
    wait::until(SOON, "an empty queue", async || group.broker().inspect("letters").await.unwrap().left() == 0).await;
    let tenths = ours.iter().filter(|n| n.is_multiple_of(10)).count() as u64;
    assert_eq!(group.events().count(EventKind::Retried), tenths);
    assert_eq!(group.events().count(EventKind::DeadLettered), 0);
    assert_eq!(group.stop().await, Exit::Clean);
}

#[actix::test]
async fn what_a_stopped_group_returns_python_takes() {
    let Some(stage) = Stage::new("what_a_stopped_group_returns_python_takes").await else { return };
    let (gate, log) = (watch::Sender::new(false), Log::default());
    let group = gated(&stage, &gate, &log).await;
    push(&group, 0..4).await;
    in_flight(&group, 4).await;
    push(&group, 4..6).await;
    group.stop_within(Duration::from_millis(500)).await;

    let peer = stage.peer(&["--consume", "letters"]).await;
    peer.wait_jsons(6, |line| line["consumed"] == "letters", SOON).await;
    // First in line, and in their old order.
    assert_eq!(taken_by(&peer), [0, 1, 2, 3, 4, 5]);
    assert_eq!(command(&peer, json!({"do": "queue_length", "queue": "letters"})).await["length"], 0);
    assert!(log.all().is_empty());
}
