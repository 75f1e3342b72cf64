use std::num::NonZeroU32;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Delivery};
use formicary_actors::events::EventKind;
use tokio::time::Instant;

use super::common::*;

on_each! {
    a_rate_spaces_what_begins_and_the_rest_waits_in_the_inbox,
    a_rate_of_a_consumer_leaves_the_rest_at_the_broker,
    who_waits_for_its_rate_holds_no_turn,
    [not on RabbitMQ: it remembers no keys]
    a_crash_takes_no_places_of_a_rate_with_it,
}

fn per_second(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

struct Paced {
    log: Log,
    begun: Instant,
}

impl Paced {
    fn note(&self) {
        self.log.add(self.begun.elapsed().as_millis().to_string());
    }
}

impl Agent for Paced {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |me: &Self, _: Ping, ()| me.note()).rate(per_second(10));
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, _: Job, ()| me.note()).rate(per_second(10));
    }
}

fn paced(log: &Log) -> impl Fn() -> Paced + Send + Sync + 'static {
    let log = log.clone();
    move || Paced { log: log.clone(), begun: Instant::now() }
}

/// When the runs began, counted from the first.
fn times(log: &Log) -> Vec<u64> {
    let at: Vec<u64> = log.lines().iter().map(|line| line.parse().unwrap()).collect();
    at.iter().map(|time| time - at[0]).collect()
}

async fn a_rate_spaces_what_begins_and_the_rest_waits_in_the_inbox(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(paced(&log)).start().await.unwrap();
    for n in 0..15 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "the fourth", async || log.lines().len() == 4).await;
    // One is taken and waits for its time.
    assert_eq!((group.load().waiting, group.load().running), (10, 1));
    until(SOON, "the eleventh", async || log.lines().len() >= 11).await;
    let times = times(&log);
    let spaced = times.iter().zip(0..).all(|(at, n)| (n * 100..n * 100 + 40).contains(at));
    assert!(spaced, "the eleventh begins at 1.0 s: {times:?}");
    until(SOON, "the rest", async || log.lines().len() == 15).await;
    group.stop().await;
}

async fn a_rate_of_a_consumer_leaves_the_rest_at_the_broker(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(paced(&log)).start().await.unwrap();
    for n in 0..30 {
        send(&group, n).await;
    }
    until(SOON, "the third", async || log.lines().len() == 3).await;
    let counts = group.broker().inspect("jobs").await.unwrap();
    assert!(counts.in_flight <= 16 && counts.waiting >= 10, "{counts:?}");
    until(SOON, "the eleventh", async || log.lines().len() == 11).await;
    let times = times(&log);
    assert!((1_000..1_040).contains(&times[10]), "{times:?}");
    let events = group.events().clone();
    let looks_on = stage.group().start().await.unwrap();
    group.stop().await;
    // What waited for its time has not begun.
    let left = looks_on.broker().inspect("jobs").await.unwrap();
    assert_eq!((left.left(), left.delayed, left.dead), (30 - events.count(EventKind::Consumed), 0, 0));
    looks_on.stop().await;
}

struct Writes(Log);

impl Agent for Writes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("write", async |me: &mut Self, _: Ping, ()| me.0.add("wrote")).rate(per_second(1));
        agent.receiver_mut("other", async |me: &mut Self, pong: Pong, ()| me.0.add(format!("other {}", pong.n)));
    }
}

async fn who_waits_for_its_rate_holds_no_turn(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Writes(seen.clone())).start().await.unwrap();
    for n in 0..2 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "the first", async || log.count("wrote") == 1).await;
    let begun = Instant::now();
    for n in 0..5 {
        group.bus().publish("test", &Pong { n }).await.unwrap();
        let line = format!("other {n}");
        until(SOON, "another writer", async || log.count(&line) == 1).await;
    }
    assert!(begun.elapsed() < Duration::from_millis(500) && log.count("wrote") == 1, "{:?}", begun.elapsed());
    until(SOON, "the second", async || log.count("wrote") == 2).await;
    group.stop().await;
}

struct Crashes(Log);

impl Agent for Crashes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |me: &Self, job: Job, delivery: Delivery| {
                me.0.add(job.n.to_string());
                assert!(job.n != 2 || delivery.attempt() > 1, "boom");
            })
            .rate(per_second(5))
            // Its memory lets several wait for the rate at once.
            .dedup_by(Duration::from_secs(60), |job: &Job| job.n);
    }
}

async fn a_crash_takes_no_places_of_a_rate_with_it(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Crashes(seen.clone())).start().await.unwrap();
    for n in 0..18 {
        send(&group, n).await;
    }
    until(SOON, "the crash", async || group.events().count(EventKind::Crashed) == 1).await;
    let begun = Instant::now();
    until(SOON, "the next three", async || log.lines().len() >= 6).await;
    assert!(begun.elapsed() < Duration::from_millis(1_200), "{:?}", begun.elapsed());
    group.stop().await;
}

struct Fast(Log);

impl Agent for Fast {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("hear", async |me: &Self, _: Ping, ()| me.0.add("ran"))
            .inbox(10_000.try_into().unwrap())
            .rate(per_second(5_000));
    }
}

/// Timers wake by the millisecond, and a rate may be finer.
#[actix::test]
async fn a_rate_finer_than_a_timer_is_kept_too() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Fast(seen.clone())).start().await.unwrap();
    let begun = Instant::now();
    let sent = (0..5_000).map(|n| {
        let bus = group.bus().clone();
        async move { bus.publish("test", &Ping { n }).await.unwrap() }
    });
    futures_util::future::join_all(sent).await;
    until(SOON, "all", async || log.lines().len() == 5_000).await;
    let took = begun.elapsed();
    assert!((990..1_050).contains(&took.as_millis()), "{took:?}");
    group.stop().await;
}
