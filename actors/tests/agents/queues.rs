use std::time::Duration;

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, Delivery, Push};
use formicary_actors::contract::{Letters, SendOptions};
use formicary_actors::events::EventKind;
use formicary_actors::group::Group;
use formicary_protocol::DeadReason;

use super::common::*;

on_each! {
    a_message_is_handled_and_acknowledged,
    a_failed_message_comes_back_with_its_attempt_and_history,
    the_fifth_failure_is_the_last,
    what_cannot_be_decoded_is_dead_at_once,
    a_panic_counts_for_the_culprit_only,
    no_more_than_the_concurrency_is_in_hand,
    a_delivery_can_be_settled_by_hand,
    a_delayed_message_waits_at_the_broker,
    a_stop_returns_what_never_started_in_its_old_order,
}

async fn counts(group: &Group) -> (u64, u64, u64, u64) {
    let counts = group.broker().inspect("jobs").await.unwrap();
    (counts.waiting, counts.in_flight, counts.delayed, counts.dead)
}

struct Worker(Log);

impl Agent for Worker {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
            me.0.add(format!("{} {}", job.n, delivery.attempt()));
            match job.n {
                500 => Err("it never works")?,
                501 if delivery.attempt() < 2 => Err("not yet")?,
                502 if delivery.attempt() < 2 => panic!("boom"),
                _ => Ok::<_, HandlerError>(()),
            }
        });
    }
}

async fn a_message_is_handled_and_acknowledged(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Worker(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the acknowledgement", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(log.lines(), ["1 1"]);
    assert_eq!(counts(&group).await, (0, 0, 0, 0));
    group.stop().await;
}

async fn a_failed_message_comes_back_with_its_attempt_and_history(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Worker(seen.clone())).start().await.unwrap();
    send(&group, 501).await;
    until(SOON, "the retry", async || group.events().count(EventKind::Retried) == 1).await;
    assert_eq!(counts(&group).await, (0, 0, 1, 0), "the delay is kept at the broker");
    until(SOON, "the acknowledgement", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(log.lines(), ["501 1", "501 2"]);
    group.stop().await;
}

async fn the_fifth_failure_is_the_last(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Worker(seen.clone())).start().await.unwrap();
    send(&group, 500).await;
    let patience = Duration::from_secs(40);
    until(patience, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    assert_eq!(log.lines(), ["500 1", "500 2", "500 3", "500 4", "500 5"]);
    assert_eq!(counts(&group).await, (0, 0, 0, 1));
    let letters = group.broker().peek("jobs", Letters::all().oldest(10)).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter.reason.clone(), letter.entry.attempt), (DeadReason::Exhausted, 5));
    assert_eq!(&letter.entry.body[..], br#"{"n":500}"#);
    assert_eq!(letter.entry.history.len(), 5);
    let last = &letter.entry.history[4];
    assert_eq!((&*last.agent, &*last.handler, &*last.error), ("worker", "work", "it never works"));
    assert!(letter.died_at_ms >= letter.entry.first_seen_ms && letter.entry.first_seen_ms > 0);
    group.stop().await;
}

async fn what_cannot_be_decoded_is_dead_at_once(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Worker(seen.clone())).start().await.unwrap();
    let huge = vec![b' '; (1 << 20) + 1];
    for body in [&b"no json"[..], b"", b"{\"n\": null}", b"\xff\xfe", &huge] {
        stage.push_raw("jobs", body).await;
    }
    stage.push_raw("jobs", b"{\"n\": 1}").await;
    until(SOON, "five dead letters", async || group.events().count(EventKind::DeadLettered) == 5).await;
    until(SOON, "the good one", async || group.events().count(EventKind::Consumed) == 1).await;
    let letters = group.broker().peek("jobs", Letters::all().oldest(10)).await.unwrap();
    let mut reasons: Vec<_> = letters.iter().map(|letter| letter.reason.to_string()).collect();
    reasons.sort();
    assert_eq!(reasons, ["too large", "undecodable", "undecodable", "undecodable", "undecodable"]);
    assert!(letters.iter().any(|letter| &letter.entry.body[..] == b"\xff\xfe"), "the original bytes are kept");
    assert_eq!(log.lines(), ["1 1"]);
    group.stop().await;
}

struct Neighbours(Log);

impl Agent for Neighbours {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
            me.0.add(format!("{} {}", job.n, delivery.attempt()));
            if delivery.attempt() == 1 && me.0.count("crashed") == 0 {
                if job.n == 3 {
                    me.0.add("crashed");
                    panic!("boom");
                }
                std::future::pending::<()>().await;
            }
        });
    }
}

async fn a_panic_counts_for_the_culprit_only(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Neighbours(seen.clone())).start().await.unwrap();
    for n in 1..=3 {
        send(&group, n).await;
    }
    until(SOON, "all three", async || group.events().count(EventKind::Consumed) == 3).await;
    // They never leave the process.
    assert_eq!(group.events().count(EventKind::Returned), 0);
    assert_eq!(group.events().count(EventKind::Retried), 1);
    assert_eq!((log.count("1 1"), log.count("2 1")), (2, 2), "the neighbours come back with their first attempt");
    assert_eq!((log.count("3 1"), log.count("3 2")), (1, 1));
    let places: Vec<_> = log.lines().iter().skip(4).cloned().collect();
    assert_eq!(places, ["1 1", "2 1", "3 2"], "they come back in their old order");
    group.stop().await;
}

struct Holds(Log);

impl Agent for Holds {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("hold", async |me: &Self, job: Job, ()| {
                me.0.add(job.n.to_string());
                while me.0.count("go") == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .concurrency(4.try_into().unwrap());
    }
}

async fn no_more_than_the_concurrency_is_in_hand(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Holds(seen.clone())).start().await.unwrap();
    for n in 0..20 {
        send(&group, n).await;
    }
    until(SOON, "four in hand", async || log.lines().len() == 4).await;
    assert_eq!(counts(&group).await, (16, 4, 0, 0), "the rest waits at the broker");
    log.add("go");
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 20).await;
    group.stop().await;
}

struct ByHand;

impl Agent for ByHand {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("hand", async |_: &Self, job: Job, delivery: Delivery| {
            match (job.n, delivery.attempt()) {
                (1, _) => delivery.ack(),
                (2, 1) => delivery.retry(Duration::from_millis(50)),
                (3, _) => delivery.dead(),
                _ => {}
            }
            if job.n == 1 { Err("after the acknowledgement it does not matter") } else { Ok(()) }
        });
    }
}

async fn a_delivery_can_be_settled_by_hand(stage: &Stage) {
    let group = stage.group().agent(|| ByHand).start().await.unwrap();
    for n in 1..=3 {
        send(&group, n).await;
    }
    until(SOON, "two acknowledged", async || group.events().count(EventKind::Consumed) == 2).await;
    until(SOON, "one dead", async || group.events().count(EventKind::DeadLettered) == 1).await;
    assert_eq!(group.events().count(EventKind::Retried), 1);
    let letters = group.broker().peek("jobs", Letters::all().oldest(10)).await.unwrap();
    assert_eq!(letters[0].reason, DeadReason::Refused);
    let told = &letters[0].entry.history[0];
    let told = (told.agent.as_str(), told.handler.as_str(), told.error.as_str());
    assert_eq!(told, ("by_hand", "hand", "put aside by its handler"));
    group.stop().await;
}

struct Sends;

impl Agent for Sends {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("send", async |_: &Self, ping: Ping, jobs: Push<Job>| {
            let mut options = SendOptions::default();
            options.delay = Some(Duration::from_millis(300));
            jobs.send_with(&Job { n: ping.n }, options).await
        });
        agent.receiver("headers", async |_: &Self, pong: Pong, jobs: Push<Job>| {
            let mut options = SendOptions::default();
            options.headers = vec![("a".into(), "b".into())];
            jobs.send_with(&Job { n: pong.n }, options).await
        });
    }
}

async fn a_delayed_message_waits_at_the_broker(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(|| Sends).agent(move || Worker(seen.clone())).start().await.unwrap();
    let begun = tokio::time::Instant::now();
    group.bus().publish("test", &Ping { n: 9 }).await.unwrap();
    until(SOON, "the message", async || log.lines() == ["9 1"]).await;
    assert!(begun.elapsed() >= Duration::from_millis(290), "{:?}", begun.elapsed());
    group.bus().publish("test", &Pong { n: 9 }).await.unwrap();
    // RabbitMQ carries headers.
    let refused = if stage.is_rabbitmq() { 0 } else { 1 };
    let outcome =
        async || (group.events().count(EventKind::Failed), log.count("9 1")) == (refused, 2 - refused as usize);
    until(SOON, "the option, or its refusal", outcome).await;
    group.stop().await;
}

struct OneByOne(Log);

impl Agent for OneByOne {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer_mut::<Job, _, _, _, _>("one", async |me: &mut Self, job: Job, ()| {
            me.0.add(job.n.to_string());
            tokio::time::sleep(Duration::from_millis(200)).await;
            me.0.add(format!("{} done", job.n));
        });
    }
}

async fn a_stop_returns_what_never_started_in_its_old_order(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || OneByOne(seen.clone())).start().await.unwrap();
    for n in 0..20 {
        send(&group, n).await;
    }
    until(SOON, "the first", async || log.lines() == ["0"]).await;
    let events = group.events().clone();
    group.stop().await;
    assert_eq!(log.lines(), ["0", "0 done"]);
    assert_eq!((events.count(EventKind::Consumed), events.count(EventKind::DeadLettered)), (1, 0));
    assert_eq!(events.count(EventKind::Returned), 15, "what was in hand and had not begun");
    let seen = log.clone();
    let group = stage.group().agent(move || OneByOne(seen.clone())).start().await.unwrap();
    until(SOON, "the rest", async || group.events().count(EventKind::Consumed) == 19).await;
    let done: Vec<_> = log.lines().into_iter().filter(|line| !line.contains("done")).collect();
    let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(done, expected);
    group.stop().await;
}
