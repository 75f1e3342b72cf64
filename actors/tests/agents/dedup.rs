//! `dedup`: a message is handled once within a window.

use std::time::Duration;

use formicary_actors::Retry;
use formicary_actors::agent::{Agent, AgentBuilder, Delivery};
use formicary_actors::events::EventKind;

use super::common::*;

on_both! {
    the_second_of_a_key_is_acknowledged_unhandled,
    the_second_waits_for_what_becomes_of_the_first,
    a_message_whose_handler_failed_is_not_remembered,
    all_consumers_of_a_queue_remember_together,
    a_stop_returns_what_waits_for_one_like_it,
}

struct Once(Log);

impl Agent for Once {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
                me.0.add(format!("{} {}", job.n, delivery.attempt()));
                tokio::time::sleep(Duration::from_millis(100)).await;
                match job.n {
                    102 if delivery.attempt() == 1 => Err("not yet"),
                    _ => Ok(()),
                }
            })
            .retry(Retry::constant(Duration::from_millis(300)).jitter(1.0))
            .dedup_by(Duration::from_secs(60), |job: &Job| job.n / 100);
    }
}

fn once(log: &Log) -> impl Fn() -> Once + Send + Sync + 'static {
    let log = log.clone();
    move || Once(log.clone())
}

async fn the_second_of_a_key_is_acknowledged_unhandled(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(once(&log)).start().await.unwrap();
    let events = group.events();
    for (n, consumed, deduplicated) in [(100, 1, 0), (101, 1, 1), (200, 2, 1), (199, 2, 2)] {
        send(&group, n).await;
        let done = async || {
            (events.count(EventKind::Consumed), events.count(EventKind::Deduplicated)) == (consumed, deduplicated)
        };
        until(SOON, "the acknowledgement", done).await;
    }
    assert_eq!(log.lines(), ["100 1", "200 1"]);
    let info = group.info().await;
    let consumer = &info.agents[0].info.consumers[0];
    assert_eq!(consumer.dedup.as_ref().map(|dedup| (dedup.by, dedup.window)), Some(("key", 60.0)));
    assert_eq!((consumer.handler.counts.handled, consumer.handler.counts.cut_off), (2, 0));
    group.stop().await;
}

#[actix::test]
async fn after_its_window_a_key_is_new() {
    let log = Log::default();
    let group = Stage::memory().group().agent(once(&log)).start().await.unwrap();
    let events = group.events();
    for (wait, consumed, deduplicated) in [(0, 1, 0), (59, 1, 1), (1, 2, 1)] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        send(&group, 100).await;
        let done = async || {
            (events.count(EventKind::Consumed), events.count(EventKind::Deduplicated)) == (consumed, deduplicated)
        };
        until(SOON, "the acknowledgement", done).await;
    }
    group.stop().await;
}

async fn the_second_waits_for_what_becomes_of_the_first(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(once(&log)).start().await.unwrap();
    for n in [100, 101, 103, 200] {
        send(&group, n).await;
    }
    let events = group.events();
    until(SOON, "all", async || events.count(EventKind::Consumed) == 2).await;
    until(SOON, "the others", async || events.count(EventKind::Deduplicated) == 2).await;
    assert_eq!(log.lines(), ["100 1", "200 1"]);
    group.stop().await;
}

async fn a_message_whose_handler_failed_is_not_remembered(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(once(&log)).start().await.unwrap();
    for n in [102, 103] {
        send(&group, n).await;
    }
    let events = group.events();
    until(SOON, "the second", async || events.count(EventKind::Consumed) == 1).await;
    until(SOON, "the first again", async || events.count(EventKind::Deduplicated) == 1).await;
    assert_eq!(log.lines(), ["102 1", "103 1"], "the first came back and found that another one was handled");
    assert_eq!(events.count(EventKind::Retried), 1);
    group.stop().await;
}

async fn all_consumers_of_a_queue_remember_together(stage: &Stage) {
    let log = Log::default();
    let first = stage.group().agent(once(&log)).start().await.unwrap();
    send(&first, 100).await;
    until(SOON, "the first", async || first.events().count(EventKind::Consumed) == 1).await;
    first.stop().await;
    let second = stage.group().agent(once(&log)).start().await.unwrap();
    send(&second, 101).await;
    until(SOON, "the second", async || second.events().count(EventKind::Deduplicated) == 1).await;
    assert_eq!(log.lines(), ["100 1"]);
    second.stop().await;
}

async fn a_stop_returns_what_waits_for_one_like_it(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(once(&log)).start().await.unwrap();
    for n in [100, 101, 103] {
        send(&group, n).await;
    }
    until(SOON, "all in hand", async || {
        log.lines() == ["100 1"] && group.broker().inspect("jobs").await.unwrap().in_flight == 3
    })
    .await;
    let events = group.events().clone();
    group.stop().await;
    let counts = [EventKind::Consumed, EventKind::Returned, EventKind::Deduplicated].map(|kind| events.count(kind));
    assert_eq!(counts, [1, 2, 0]);
    let group = stage.group().agent(once(&log)).start().await.unwrap();
    until(SOON, "the others", async || group.events().count(EventKind::Deduplicated) == 2).await;
    assert_eq!(log.lines(), ["100 1"]);
    group.stop().await;
}
