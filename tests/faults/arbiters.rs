//! Sending from threads that end, and from threads that have no runtime.

use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use actix::Arbiter;
use formicary::prelude::*;
use formicary::{Background, EventKind, block_on};

use crate::common::*;
use crate::ledger::Ledger;
use crate::traffic::Worker;

on_each! {
    what_a_dying_arbiter_sent_arrives,
    a_settlement_from_a_dying_arbiter_is_applied,
    every_kind_of_thread_can_send,
}

const ONE: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;
const ROUNDS: u64 = 20;

/// Polls a future once on an arbiter that is stopped right after, and waits for the end of its thread.
fn on_a_dying_arbiter<F: Future + 'static>(begin: impl FnOnce() -> F + Send + 'static) {
    let arbiter = Arbiter::new();
    let handle = arbiter.handle();
    arbiter.spawn_fn(move || {
        let mut context = Context::from_waker(Waker::noop());
        drop(pin!(begin()).poll(&mut context));
        handle.stop();
    });
    arbiter.join().unwrap();
}

/// A signal, a message and a call arrive when the arbiter of their sender is stopped right after the first poll.
async fn what_a_dying_arbiter_sent_arrives(stage: &Stage) {
    let ledger = Ledger::default();
    let book = ledger.clone();
    let group = stage.group().agent(move || Worker(book.clone())).start().await.unwrap();
    for n in 0..ROUNDS {
        let bus = group.bus().clone();
        on_a_dying_arbiter(move || async move { bus.publish("test", &Ping { n }).await });
        let broker = group.broker().clone();
        on_a_dying_arbiter(move || async move { broker.send::<Job>(&Job { n }).await });
        let bus = group.bus().clone();
        on_a_dying_arbiter(move || async move { bus.call("test", &Ask { n }).await });
    }
    until(SOON, "all signals", async || ledger.open().heard.len() as u64 == ROUNDS).await;
    until(SOON, "all messages", async || ledger.open().done.len() as u64 == ROUNDS).await;
    until(SOON, "all calls", async || group.events().count(EventKind::RequestReceived) == ROUNDS).await;
    group.stop().await;
}

/// Stops the arbiter on which it runs, right after the settlement.
struct Dies;

impl Agent for Dies {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("settle", async |_: &Self, _: Job, delivery: Delivery| {
            delivery.ack();
            Arbiter::current().stop();
        });
    }
}

/// A settlement is applied when its arbiter is stopped right after it was made.
async fn a_settlement_from_a_dying_arbiter_is_applied(stage: &Stage) {
    let looks_on = stage.group().start().await.unwrap();
    let dies = stage.group().arbiters(ONE).agent(|| Dies).start().await.unwrap();
    looks_on.broker().send::<Job>(&Job { n: 3 }).await.unwrap();
    until(SOON, "the acknowledgement", async || dies.events().count(EventKind::Consumed) == 1).await;
    dies.stop_within(Duration::from_secs(2)).await;
    let left = looks_on.broker().inspect("jobs").await.unwrap();
    assert_eq!((left.left(), left.dead), (0, 0));
    looks_on.stop().await;
}

/// Signals, calls and messages go out, and their results come back, on plain tokio and on a thread without a runtime.
async fn every_kind_of_thread_can_send(stage: &Stage) {
    let ledger = Ledger::default();
    let book = ledger.clone();
    let background = Background::start(stage.group().agent(move || Worker(book.clone()))).unwrap();
    let (bus, broker) = (background.bus().clone(), background.broker().clone());
    let send = async move |n: u64| {
        // RabbitMQ does not count who hears it.
        assert!(matches!(bus.publish("test", &Ping { n }).await.unwrap(), Some(1) | None));
        broker.send::<Job>(&Job { n }).await.unwrap();
        assert_eq!(bus.call("test", &Ask { n }).await.unwrap(), n);
        assert_eq!(broker.inspect("jobs").await.unwrap().dead, 0);
    };
    let on_tokio = send.clone();
    let tokio = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(on_tokio(1));
    });
    let bare = thread::spawn(move || block_on(send(2)));
    tokio.join().unwrap();
    bare.join().unwrap();
    until(SOON, "both", async || ledger.open().heard.len() == 2 && ledger.open().done.len() == 2).await;
    assert_eq!(background.stop().code(), 0);
}
