//! A stop while everything is in motion, and of what does not want to stop.

use std::time::{Duration, Instant};

use formicary::prelude::*;
use formicary::{EventKind, HandlerError};

use crate::common::*;
use crate::ledger::Ledger;
use crate::traffic::{Sender, TICK, Traffic};

on_each! {
    a_stop_under_load_loses_and_buries_nothing,
    a_handler_that_hangs_is_cut_off_at_the_deadline,
}

/// A stop under load keeps its deadline and dead-letters nothing; every accepted message is consumed or left in the queue.
async fn a_stop_under_load_loses_and_buries_nothing(stage: &Stage) {
    let looks_on = stage.group().start().await.unwrap();
    let traffic = Traffic::start(stage.group()).await;
    // Another process, which goes on sending.
    let other = Sender::start(looks_on.bus().clone(), looks_on.broker().clone(), Ledger::default(), TICK);
    traffic.flows_within(SOON).await;
    let Traffic { group, ledger, sender } = traffic;
    let events = group.events().clone();
    let begun = Instant::now();
    assert_eq!(group.stop().await.code(), 0);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}, and the deadline is 10 s, which nothing here needs");
    let refused = async || ledger.open().messages.iter().any(|sent| sent.result.is_err());
    until(SOON, "the traffic to outlive the group", refused).await;
    sender.end().await;
    other.end().await;

    let left = looks_on.broker().inspect("jobs").await.unwrap();
    assert_eq!((left.dead, left.in_flight), (0, 0));
    let queued = events.count(EventKind::Queued) + looks_on.events().count(EventKind::Queued);
    assert_eq!(queued, events.count(EventKind::Consumed) + left.left());
    assert_eq!(events.count(EventKind::DeadLettered), 0);
    // The lock is not held over the stop: a task of the traffic may still want it.
    let accepted = ledger.open().messages.iter().filter(|sent| sent.result.is_ok()).count() as u64;
    assert!(accepted > 0 && accepted <= events.count(EventKind::Queued));
    looks_on.stop().await;
}

struct Hangs;

impl Agent for Hangs {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |_: &Self, _: Ping, ()| std::future::pending::<()>().await);
        agent.receiver("answer", async |_: &Self, _: Ask, ()| {
            std::future::pending::<std::result::Result<u64, HandlerError>>().await
        });
        agent.consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| std::future::pending::<()>().await);
    }
}

/// Handlers that hang are cut off at the stop's deadline; their messages go back, uncounted, and their callers are told.
async fn a_handler_that_hangs_is_cut_off_at_the_deadline(stage: &Stage) {
    let looks_on = stage.group().start().await.unwrap();
    let group = stage.group().agent(|| Hangs).start().await.unwrap();
    ping(group.bus(), 1).await;
    group.broker().send::<Job>(&Job { n: 7 }).await.unwrap();
    let bus = looks_on.bus().clone();
    let call = actix::spawn(async move { bus.call("test", &Ask { n: 1 }).await });
    until(SOON, "all three in hand", async || group.load().running == 3).await;
    let begun = Instant::now();
    group.stop_within(Duration::from_secs(2)).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_000) && took < Duration::from_millis(2_500), "{took:?}");
    let error = call.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("stopped"), "{error}");
    let left = looks_on.broker().inspect("jobs").await.unwrap();
    assert_eq!((left.waiting, left.in_flight, left.delayed, left.dead), (1, 0, 0, 0), "returned, not retried");
    looks_on.stop().await;
}
