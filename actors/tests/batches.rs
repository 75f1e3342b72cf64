//! Consumers of batches, in memory with a paused clock, on a real Redis and on a real RabbitMQ.
#![allow(clippy::unwrap_used, reason = "the lint's own exception for tests does not reach their helpers")]

#[path = "agents/common.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "it is there for more tests than these")]
mod common;

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use formicary_actors::Retry;
use formicary_actors::agent::{Agent, AgentBuilder, Delivery, Exhausted, Item, Outbox, RetryContext};
use formicary_actors::contract::Letters;
use formicary_actors::events::{EventKind, Events};
use formicary_actors::group::Group;
use formicary_protocol::DeadReason;
use tokio::time::Instant;

use common::*;

on_each! {
    a_batch_is_handed_out_when_it_is_full_or_its_first_message_has_waited,
    what_cannot_be_decoded_spoils_no_batch,
    each_item_is_settled_on_its_own,
    a_panic_fails_what_is_not_settled_and_freezes_nothing,
    a_timeout_fails_the_whole_batch,
    a_stop_returns_a_batch_that_is_gathered_in_its_old_order,
    a_crash_elsewhere_hands_on_a_batch_uncounted_and_in_order,
    batches_run_beside_each_other_up_to_the_concurrency,
    each_item_has_its_own_attempts_and_its_own_end,
    what_a_panic_ends_is_given_up_by_the_next_instance_in_order,
    [not on RabbitMQ: it remembers no keys]
    of_alike_messages_a_batch_holds_the_first,
}

const MS: Duration = Duration::from_millis(1);

fn size(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn soon() -> Retry {
    Retry::constant(50 * MS)
}

async fn send(group: &Group, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
}

async fn counts(group: &Group) -> (u64, u64, u64, u64) {
    let counts = group.broker().inspect("jobs").await.unwrap();
    (counts.waiting, counts.in_flight, counts.delayed, counts.dead)
}

async fn happened(events: &Events, kind: EventKind, times: u64) {
    until(SOON, format!("{times} × {kind:?}"), async || events.count(kind) == times).await;
    assert_eq!(events.count(kind), times);
}

/// The numbers of a batch, with their attempts.
fn say(items: &[Item<Job>]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("{}:{}", item.n, item.delivery().attempt())).collect();
    items.join(" ")
}

struct Takes(Log);

impl Agent for Takes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer_mut::<Job, _, _, _, _>("take", async |me: &mut Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
            })
            .batch(size(3), 400 * MS);
    }
}

async fn a_batch_is_handed_out_when_it_is_full_or_its_first_message_has_waited(stage: &Stage) {
    for n in 0..7 {
        stage.push_raw("jobs", format!("{{\"n\": {n}}}").as_bytes()).await;
    }
    let log = Log::default();
    let takes = log.clone();
    let group = stage.group().agent(move || Takes(takes.clone())).start().await.unwrap();
    let begun = Instant::now();
    until(SOON, "the full ones", async || log.lines().len() == 2).await;
    assert!(begun.elapsed() < 300 * MS, "{:?}", begun.elapsed());
    happened(group.events(), EventKind::Consumed, 7).await;
    assert!(begun.elapsed() >= 390 * MS, "{:?}", begun.elapsed());
    assert_eq!(log.lines(), ["0:1 1:1 2:1", "3:1 4:1 5:1", "6:1"]);
    assert_eq!(counts(&group).await, (0, 0, 0, 0));
    // The one that waits has others come to it.
    send(&group, [7]).await;
    send(&group, [8, 9]).await;
    happened(group.events(), EventKind::Consumed, 10).await;
    assert_eq!(log.lines()[3..], ["7:1 8:1 9:1"]);
    group.stop().await;
}

async fn what_cannot_be_decoded_spoils_no_batch(stage: &Stage) {
    for body in ["{\"n\": 0}", "junk", "{\"n\": 1}", "{\"n\": -1}", "", "{\"n\": 2}"] {
        stage.push_raw("jobs", body.as_bytes()).await;
    }
    let log = Log::default();
    let takes = log.clone();
    let group = stage.group().agent(move || Takes(takes.clone())).start().await.unwrap();
    happened(group.events(), EventKind::Consumed, 3).await;
    happened(group.events(), EventKind::DeadLettered, 3).await;
    assert_eq!(log.lines(), ["0:1 1:1 2:1"], "they do not count to its size either");
    assert_eq!(group.broker().inspect("jobs").await.unwrap().dead, 3);
    let letters = group.broker().peek("jobs", Letters::all()).await.unwrap();
    assert!(letters.iter().all(|letter| letter.reason == DeadReason::Undecodable), "{letters:?}");
    group.stop().await;
}

struct ByHand(Log);

impl Agent for ByHand {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("hand", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
                let fails = me.0.count("fails") == 1 && items[0].delivery().attempt() == 1;
                for item in items {
                    match (item.n, item.delivery().attempt()) {
                        (0, _) => item.ack(),
                        (1, 1) => item.retry(50 * MS),
                        (2, _) => item.dead(),
                        (3, 1) => item.fail("not this one"),
                        (3, _) => assert_eq!(item.delivery().history()[0].error, "not this one"),
                        // It follows the result, even if nothing is left of it.
                        _ => drop(item.into_inner()),
                    }
                }
                if fails { Err("the batch failed") } else { Ok(()) }
            })
            .batch(size(5), 200 * MS)
            .retry(soon());
    }
}

async fn each_item_is_settled_on_its_own(stage: &Stage) {
    let log = Log::default();
    let hand = log.clone();
    let group = stage.group().agent(move || ByHand(hand.clone())).start().await.unwrap();
    send(&group, 0..5).await;
    happened(group.events(), EventKind::Consumed, 4).await;
    happened(group.events(), EventKind::DeadLettered, 1).await;
    happened(group.events(), EventKind::Retried, 2).await;
    assert_eq!(log.lines()[0], "0:1 1:1 2:1 3:1 4:1");
    let letters = group.broker().peek("jobs", Letters::all()).await.unwrap();
    assert_eq!((&letters[0].entry.body[..], &letters[0].reason), (&b"{\"n\":2}"[..], &DeadReason::Refused));
    // An error fails what the handler did not settle, and only that.
    log.add("fails");
    send(&group, [0, 4]).await;
    happened(group.events(), EventKind::Consumed, 6).await;
    happened(group.events(), EventKind::Retried, 3).await;
    assert_eq!(log.lines().last().unwrap(), "4:2");
    assert_eq!(group.events().count(EventKind::LateSettlement), 0);
    group.stop().await;
}

struct Panics(Log);

impl Agent for Panics {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("panic", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
                let mut items = items.into_iter();
                if items.as_slice()[0].delivery().attempt() == 1 {
                    items.next().unwrap().ack();
                    items.next().unwrap().fail("its own error");
                    panic!("boom");
                }
                for item in items {
                    me.0.add(format!("{} {}", item.n, item.delivery().history()[0].error));
                }
            })
            .batch(size(4), 200 * MS)
            .retry(soon());
    }
}

async fn a_panic_fails_what_is_not_settled_and_freezes_nothing(stage: &Stage) {
    let log = Log::default();
    let panics = log.clone();
    let group = stage.group().agent(move || Panics(panics.clone())).start().await.unwrap();
    send(&group, 0..4).await;
    happened(group.events(), EventKind::Consumed, 4).await;
    let mut lines = log.lines();
    assert_eq!(lines.remove(0), "0:1 1:1 2:1 3:1");
    lines.retain(|line| line.contains(' ') && !line.contains(':') || line.contains("panic"));
    lines.sort();
    assert_eq!(lines, ["1 its own error", "2 panic: boom", "3 panic: boom"]);
    let events = group.events();
    assert_eq!((events.count(EventKind::Crashed), events.count(EventKind::Retried)), (1, 3));
    assert_eq!(events.count(EventKind::Returned), 0);
    group.stop().await;
}

struct Hangs(Log);

impl Agent for Hangs {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("hang", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
                if items[0].delivery().attempt() == 1 {
                    std::future::pending::<()>().await;
                }
            })
            .batch(size(2), 100 * MS)
            .timeout(150 * MS)
            .retry(soon());
    }
}

async fn a_timeout_fails_the_whole_batch(stage: &Stage) {
    let log = Log::default();
    let hangs = log.clone();
    let group = stage.group().agent(move || Hangs(hangs.clone())).start().await.unwrap();
    send(&group, 0..2).await;
    happened(group.events(), EventKind::Consumed, 2).await;
    assert_eq!(group.events().count(EventKind::Retried), 2);
    assert_eq!(group.events().count(EventKind::Failed), 1, "one handling");
    assert_eq!(log.lines()[0], "0:1 1:1");
    group.stop().await;
}

struct Patient(Log);

impl Agent for Patient {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("gather", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
            })
            .batch(size(10), Duration::from_secs(60));
    }
}

async fn a_stop_returns_a_batch_that_is_gathered_in_its_old_order(stage: &Stage) {
    let log = Log::default();
    let patient = log.clone();
    let group = stage.group().agent(move || Patient(patient.clone())).start().await.unwrap();
    send(&group, 0..6).await;
    until(SOON, "all in hand", async || counts(&group).await == (0, 6, 0, 0)).await;
    let events = group.events().clone();
    group.stop().await;
    assert_eq!((events.count(EventKind::Returned), events.count(EventKind::Consumed)), (6, 0));
    assert!(log.lines().is_empty());
    let takes = log.clone();
    let group = stage.group().agent(move || Takes(takes.clone())).start().await.unwrap();
    happened(group.events(), EventKind::Consumed, 6).await;
    assert_eq!(log.lines(), ["0:1 1:1 2:1", "3:1 4:1 5:1"]);
    group.stop().await;
}

struct Neighbour(Log);

impl Agent for Neighbour {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("crash", async |_: &Self, _: Ping, ()| -> () { panic!("boom") });
        agent
            .batch_consumer::<Job, _, _, _, _>("hold", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
                if me.0.count("crash") == 0 {
                    me.0.add("holds");
                    std::future::pending::<()>().await;
                }
            })
            .batch(size(4), 100 * MS);
    }
}

async fn a_crash_elsewhere_hands_on_a_batch_uncounted_and_in_order(stage: &Stage) {
    let log = Log::default();
    let neighbour = log.clone();
    let group = stage.group().agent(move || Neighbour(neighbour.clone())).start().await.unwrap();
    send(&group, 0..4).await;
    until(SOON, "the handler", async || log.count("holds") == 1).await;
    log.add("crash");
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    happened(group.events(), EventKind::Consumed, 4).await;
    assert_eq!(log.lines(), ["0:1 1:1 2:1 3:1", "holds", "crash", "0:1 1:1 2:1 3:1"]);
    assert_eq!(group.events().count(EventKind::Returned), 0, "it stays in the process");
    group.stop().await;
}

struct Side(Log);

impl Agent for Side {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("side", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
                until(SOON, "go", async || me.0.count("go") == 1).await;
            })
            .batch(size(2), 50 * MS)
            .concurrency(size(2));
    }
}

async fn batches_run_beside_each_other_up_to_the_concurrency(stage: &Stage) {
    let log = Log::default();
    let side = log.clone();
    let group = stage.group().agent(move || Side(side.clone())).start().await.unwrap();
    send(&group, 0..7).await;
    until(SOON, "two batches", async || log.lines().len() == 2).await;
    until(SOON, "the rest to wait", async || counts(&group).await == (3, 4, 0, 0)).await;
    assert_eq!(log.lines(), ["0:1 1:1", "2:1 3:1"]);
    log.add("go");
    happened(group.events(), EventKind::Consumed, 7).await;
    group.stop().await;
}

struct GivesUp(Log);

impl Agent for GivesUp {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("try", async |me: &Self, items: Vec<Item<Job>>, ()| {
                for item in items {
                    me.0.add(format!("{}:{}", item.n, item.delivery().attempt()));
                    if item.n >= 2 {
                        let n = item.n;
                        item.fail(format!("{n} never works"));
                    }
                }
            })
            .batch(size(4), 100 * MS)
            .retry(soon().attempts(NonZeroU32::new(2).unwrap()));
        agent.on_exhausted::<Job, _, _, _, _>("end", async |me: &Self, job: Job, why: Exhausted| {
            me.0.add(format!("end {} {}", job.n, why.error()));
        });
    }
}

async fn each_item_has_its_own_attempts_and_its_own_end(stage: &Stage) {
    let log = Log::default();
    let gives_up = log.clone();
    let group = stage.group().agent(move || GivesUp(gives_up.clone())).start().await.unwrap();
    send(&group, 0..4).await;
    happened(group.events(), EventKind::DeadLettered, 2).await;
    happened(group.events(), EventKind::Consumed, 2).await;
    let mut lines = log.lines();
    lines.sort();
    assert_eq!(lines, ["0:1", "1:1", "2:1", "2:2", "3:1", "3:2", "end 2 2 never works", "end 3 3 never works"]);
    let letters = group.broker().peek("jobs", Letters::of(DeadReason::Exhausted)).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.entry.history.len()).collect::<Vec<_>>(), [2, 2]);
    group.stop().await;
}

struct Last(Log);

impl Agent for Last {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("last", async |me: &Self, mut items: Vec<Item<Job>>, ()| -> () {
                me.0.add(say(&items));
                items.remove(0).fail("its own error");
                panic!("boom");
            })
            .batch(size(3), 100 * MS)
            .retry(soon().attempts(NonZeroU32::MIN));
        agent.on_exhausted::<Job, _, _, _, _>("end", async |me: &Self, job: Job, why: Exhausted| {
            tokio::task::yield_now().await;
            me.0.add(format!("end {} {}", job.n, why.error()));
        });
    }
}

async fn what_a_panic_ends_is_given_up_by_the_next_instance_in_order(stage: &Stage) {
    let log = Log::default();
    let last = log.clone();
    let group = stage.group().agent(move || Last(last.clone())).start().await.unwrap();
    send(&group, 0..3).await;
    happened(group.events(), EventKind::DeadLettered, 3).await;
    assert_eq!(log.lines(), ["0:1 1:1 2:1", "end 0 its own error", "end 1 boom", "end 2 boom"]);
    assert_eq!(group.events().count(EventKind::Crashed), 1);
    group.stop().await;
}

struct Once(Log);

impl Agent for Once {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, _, _, _, _>("once", async |me: &Self, items: Vec<Item<Job>>, ()| {
                me.0.add(say(&items));
                for item in items {
                    if item.n == 5 && me.0.count("failed") == 0 {
                        me.0.add("failed");
                        item.fail("the first one fails");
                    }
                }
            })
            .batch(size(4), 100 * MS)
            .retry(Retry::constant(Duration::from_secs(2)).jitter(1.0))
            .dedup_by(Duration::from_secs(60), |job: &Job| job.n);
    }
}

async fn of_alike_messages_a_batch_holds_the_first(stage: &Stage) {
    for n in [1, 1, 2, 1, 5, 5] {
        stage.push_raw("jobs", format!("{{\"n\": {n}}}").as_bytes()).await;
    }
    let log = Log::default();
    let once = log.clone();
    let group = stage.group().agent(move || Once(once.clone())).start().await.unwrap();
    happened(group.events(), EventKind::Deduplicated, 2).await;
    happened(group.events(), EventKind::Consumed, 3).await;
    // The first four are all that is given out. The one that waited behind a failure is handled instead of it, and makes
    // the other attempt needless.
    assert_eq!(log.lines(), ["1:1 2:1", "5:1", "failed", "5:1"]);
    happened(group.events(), EventKind::Deduplicated, 3).await;
    send(&group, [2]).await;
    happened(group.events(), EventKind::Deduplicated, 4).await;
    assert_eq!(log.lines().len(), 4);
    assert_eq!(counts(&group).await, (0, 0, 0, 0));
    group.stop().await;
}

struct Asks;

impl Agent for Asks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        type All = (Delivery, RetryContext, Outbox<Job>);
        agent.batch_consumer::<Job, Job, _, _, _>("asks", async |_: &Self, _: Vec<Item<Job>>, _: All| {});
    }
}

#[actix::test]
async fn what_belongs_to_one_message_is_refused_for_a_batch() {
    let Err(error) = Stage::memory().group().agent(|| Asks).start().await else { panic!("it has started") };
    let error = error.to_string();
    for what in ["`Delivery`: each item has its own", "`RetryContext`: each item", "`Outbox`: use `Push`"] {
        assert!(error.contains(&format!("`asks` takes batches and asks for {what}")), "{error}");
    }
}

#[actix::test]
async fn ten_thousand_messages_go_through_once_each_in_their_order() {
    let stage = Stage::memory();
    let log = Log::default();
    let takes = log.clone();
    let group = stage.group().agent(move || Takes(takes.clone())).start().await.unwrap();
    send(&group, 0..10_000).await;
    happened(group.events(), EventKind::Consumed, 10_000).await;
    let seen = log.lines().join(" ");
    let expected: Vec<_> = (0..10_000).map(|n| format!("{n}:1")).collect();
    assert_eq!(seen, expected.join(" "));
    group.stop().await;
}
