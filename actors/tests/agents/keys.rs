//! `by`: messages with one key one after another, in order; keys side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use formicary_actors::Retry;
use formicary_actors::agent::{Agent, AgentBuilder, Cx, Delivery};
use formicary_actors::events::EventKind;

use super::common::*;

on_each! {
    messages_with_one_key_are_handled_in_order_and_keys_side_by_side,
    who_waits_for_its_key_holds_up_no_other_key,
    a_message_that_failed_lets_the_next_of_its_key_go_first,
    a_stop_returns_what_waits_for_its_key_in_its_old_order,
    a_crash_hands_on_what_waits_for_its_key_in_its_old_order,
    an_agent_that_ends_itself_hands_on_what_waits_for_its_key_in_its_old_order,
    a_key_that_panics_is_a_crash_and_counts_an_attempt,
    blocking_consumers_have_keys_too,
    a_blocking_run_beyond_its_timeout_holds_its_key_until_it_returns,
}

/// The key of a job is its hundreds.
fn key(job: &Job) -> u64 {
    job.n / 100
}

struct Ordered(Log);

impl Agent for Ordered {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, ()| {
                me.0.add(format!("+{}", job.n));
                tokio::time::sleep(Duration::from_millis(job.n % 7)).await;
                me.0.add(format!("-{}", job.n));
            })
            .concurrency(many(8))
            .by(key);
    }
}

async fn messages_with_one_key_are_handled_in_order_and_keys_side_by_side(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Ordered(seen.clone())).start().await.unwrap();
    for n in 0..20 {
        for key in [100, 200, 300] {
            send(&group, key + n).await;
        }
    }
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 60).await;
    let mut running: BTreeMap<u64, u64> = BTreeMap::new();
    let mut order: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut most = 0;
    for line in log.lines() {
        let n: u64 = line[1..].parse().unwrap();
        if line.starts_with('+') {
            assert_eq!(running.insert(n / 100, n), None, "two of one key at once: {line}");
            order.entry(n / 100).or_default().push(n % 100);
        } else {
            assert_eq!(running.remove(&(n / 100)), Some(n));
        }
        most = most.max(running.len());
    }
    assert_eq!(most, 3, "the keys run side by side");
    let in_order: Vec<u64> = (0..20).collect();
    assert!(order.values().all(|order| *order == in_order), "{order:?}");
    group.stop().await;
}

struct Waits(Log);

impl Agent for Waits {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, ()| {
                me.0.add(format!("begin {}", job.n));
                while job.n == 100 && me.0.count("go") == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                me.0.add(format!("end {}", job.n));
            })
            .concurrency(many(4))
            .by(key);
    }
}

async fn who_waits_for_its_key_holds_up_no_other_key(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Waits(seen.clone())).start().await.unwrap();
    for n in [100, 101, 200, 102, 201, 300] {
        send(&group, n).await;
    }
    until(SOON, "the other keys", async || group.events().count(EventKind::Consumed) == 3).await;
    assert_eq!((log.count("end 200"), log.count("end 201"), log.count("end 300")), (1, 1, 1));
    assert_eq!((log.count("begin 100"), log.count("begin 101"), log.count("begin 102")), (1, 0, 0));
    assert_eq!(group.broker().inspect("jobs").await.unwrap().in_flight, 3);
    log.add("go");
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 6).await;
    let last: Vec<_> = log.lines().into_iter().skip_while(|line| line != "go").collect();
    assert_eq!(last, ["go", "end 100", "begin 101", "end 101", "begin 102", "end 102"]);
    group.stop().await;
}

struct Fails(Log);

impl Agent for Fails {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
                if job.n == 100 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                me.0.add(job.n.to_string());
                if job.n == 100 && delivery.attempt() == 1 { Err("not yet") } else { Ok(()) }
            })
            .retry(Retry::constant(Duration::from_millis(100)).jitter(1.0))
            .by(key);
    }
}

async fn a_message_that_failed_lets_the_next_of_its_key_go_first(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Fails(seen.clone())).start().await.unwrap();
    for n in [100, 101, 102] {
        send(&group, n).await;
    }
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 3).await;
    assert_eq!(log.lines(), ["100", "101", "102", "100"]);
    group.stop().await;
}

async fn a_stop_returns_what_waits_for_its_key_in_its_old_order(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Waits(seen.clone())).start().await.unwrap();
    for n in [100, 101, 102, 103, 104] {
        send(&group, n).await;
    }
    until(SOON, "all that may be in hand", async || {
        log.count("begin 100") == 1 && group.broker().inspect("jobs").await.unwrap().in_flight == 4
    })
    .await;
    log.add("go");
    let events = group.events().clone();
    // It has not looked for its sign yet.
    group.stop().await;
    let (consumed, returned) = (events.count(EventKind::Consumed), events.count(EventKind::Returned));
    // RabbitMQ is asked to give no more first, and until it answers they go on.
    let fits = (consumed, returned) == (1, 3) || stage.is_rabbitmq() && (4..=5).contains(&(consumed + returned));
    assert!(fits, "{consumed} consumed, {returned} returned: {:?}", log.lines());
    let seen = log.clone();
    let group = stage.group().agent(move || Waits(seen.clone())).start().await.unwrap();
    until(SOON, "the rest", async || group.events().count(EventKind::Consumed) == 5 - consumed).await;
    let began: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("begin")).collect();
    assert_eq!(began, ["begin 100", "begin 101", "begin 102", "begin 103", "begin 104"]);
    group.stop().await;
}

struct Crashes(Log);

impl Agent for Crashes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
                me.0.add(format!("{} {}", job.n, delivery.attempt()));
                // Until the others are in line.
                tokio::time::sleep(Duration::from_millis(100)).await;
                if job.n == 100 && delivery.attempt() == 1 {
                    panic!("boom");
                }
            })
            .concurrency(many(2))
            .retry(Retry::constant(Duration::from_secs(1)))
            .by(key);
    }
}

/// More wait than it may have in hand: what comes from the broker must not overtake what was in hand.
async fn a_crash_hands_on_what_waits_for_its_key_in_its_old_order(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Crashes(seen.clone())).start().await.unwrap();
    for n in [100, 101, 102, 103, 104] {
        send(&group, n).await;
    }
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 5).await;
    assert_eq!(log.lines(), ["100 1", "101 1", "102 1", "103 1", "104 1", "100 2"]);
    assert_eq!((group.events().count(EventKind::Returned), group.events().count(EventKind::Retried)), (0, 1));
    group.stop().await;
}

struct Ends(Log);

impl Agent for Ends {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, cx: Cx| {
                me.0.add(job.n.to_string());
                // Until the others are in line.
                tokio::time::sleep(Duration::from_millis(100)).await;
                if job.n == 100 {
                    cx.stop();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
            .concurrency(many(2))
            .by(key);
    }
}

async fn an_agent_that_ends_itself_hands_on_what_waits_for_its_key_in_its_old_order(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Ends(seen.clone())).start().await.unwrap();
    for n in [100, 101, 102, 103, 104] {
        send(&group, n).await;
    }
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 5).await;
    assert_eq!(log.lines(), ["100", "101", "102", "103", "104"]);
    assert_eq!(group.events().count(EventKind::Returned), 0);
    group.stop().await;
}

struct Treacherous(Log);

impl Agent for Treacherous {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, ()| me.0.add(format!("handle {}", job.n)))
            .retry(Retry::constant(Duration::from_millis(10)).attempts(2.try_into().unwrap()))
            .by(move |job: &Job| {
                log.add(format!("key {}", job.n));
                assert!(job.n != 1, "no key");
                job.n
            });
    }
}

async fn a_key_that_panics_is_a_crash_and_counts_an_attempt(stage: &Stage) {
    let log = fresh();
    let seen = log.clone();
    let group = stage.group().agent(move || Treacherous(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    send(&group, 2).await;
    until(SOON, "the next", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(log.lines(), ["key 1", "key 1", "key 2", "handle 2"]);
    assert_eq!((group.events().count(EventKind::Crashed), group.events().count(EventKind::Retried)), (2, 1));
    group.stop().await;
}

struct Computes;

impl Agent for Computes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent
            .blocking_consumer::<Job, _, _, _, _>("work", move |job: Job, ()| {
                log.add(format!("begin {}", job.n));
                if job.n == 100 {
                    log.hold();
                }
            })
            .by(key);
    }
}

async fn blocking_consumers_have_keys_too(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Computes).start().await.unwrap();
    for n in [100, 101, 200] {
        send(&group, n).await;
    }
    until(SOON, "the other key", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!((log.count("begin 100"), log.count("begin 101"), log.count("begin 200")), (1, 0, 1));
    log.add("go");
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 3).await;
    group.stop().await;
}

struct Late;

impl Agent for Late {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent
            .blocking_consumer::<Job, _, _, _, _>("work", move |job: Job, ()| {
                log.add(format!("+{}", job.n));
                if job.n == 100 {
                    log.hold();
                }
                log.add(format!("-{}", job.n));
            })
            .timeout(Duration::from_millis(100))
            .retry(Retry::constant(Duration::from_secs(30)))
            .by(key);
    }
}

async fn a_blocking_run_beyond_its_timeout_holds_its_key_until_it_returns(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Late).start().await.unwrap();
    for n in [100, 101, 200] {
        send(&group, n).await;
    }
    until(SOON, "the timeout", async || group.events().count(EventKind::Retried) == 1).await;
    // Another key goes on meanwhile, and what comes behind the one that still runs does not.
    send(&group, 201).await;
    until(SOON, "the other key", async || log.count("-201") == 1).await;
    assert_eq!((log.count("-100"), log.count("+101")), (0, 0), "{:?}", log.lines());
    log.add("go");
    until(SOON, "the next of the key", async || log.count("-101") == 1).await;
    let lines = log.lines();
    let of_the_key: Vec<_> = lines.iter().map(String::as_str).skip_while(|line| *line != "go").collect();
    assert_eq!(of_the_key, ["go", "-100", "+101", "-101"]);
    group.stop().await;
}
