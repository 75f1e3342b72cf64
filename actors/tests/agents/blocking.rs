use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use formicary_actors::agent::{Agent, AgentBuilder, Delivery, Exhausted, Push};
use formicary_actors::events::EventKind;
use formicary_actors::group::Group;
use formicary_actors::{HandlerError, Retry, block_on};

use super::common::*;

on_each! {
    a_blocking_handler_holds_nobody_up,
    the_pool_has_as_many_threads_as_were_set,
    a_blocking_handler_has_its_concurrency,
    a_blocking_run_beyond_its_timeout_has_failed_and_keeps_its_place,
    a_blocking_run_beyond_its_timeout_cannot_acknowledge_what_is_given_up,
    what_had_no_thread_within_its_timeout_never_runs,
    a_blocking_timer_keeps_its_place_until_it_returns,
    a_panic_of_a_blocking_handler_is_a_crash_and_counts_an_attempt,
    a_blocking_handler_that_panics_after_its_timeout_is_a_crash_too,
    a_blocking_handler_sends_and_answers,
    a_stop_does_not_wait_for_a_blocking_handler_beyond_its_deadline,
}

struct Computes;

impl Agent for Computes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent.blocking_receiver("compute", move |_: Ping, ()| {
            log.add("begun");
            log.hold();
            log.add("done");
        });
    }
}

struct Answers;

impl Agent for Answers {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| Ok::<_, HandlerError>(ask.n));
    }
}

/// The 99th percentile of 300 calls, one after the other.
async fn calls(group: &Group) -> Duration {
    let mut took = Vec::new();
    for n in 0..300 {
        let asked = Instant::now();
        assert_eq!(group.bus().call("test", &Ask { n }).await.unwrap(), n);
        took.push(asked.elapsed());
    }
    took.sort();
    took[296]
}

async fn a_blocking_handler_holds_nobody_up(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Computes).agent(|| Answers).start().await.unwrap();
    let without = calls(&group).await;
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the blocking handler", async || log.count("begun") == 1).await;
    let beside = calls(&group).await;
    assert_eq!(log.count("done"), 0, "it was to run beside all of them");
    log.add("go");
    // A machine that is busy with other things makes both of them slow.
    assert!(beside < Duration::from_millis(20).max(without * 3), "{beside:?}, and {without:?} without it");
    until(SOON, "its end", async || log.count("done") == 1).await;
    group.stop().await;
}

/// How many are inside at once, and the most that were.
#[derive(Clone, Default)]
struct Inside(Arc<(AtomicUsize, AtomicUsize)>);

impl Inside {
    fn enter(&self) {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

thread_local! {
    static INSIDE: Inside = Inside::default();
}

struct Holds;

impl Agent for Holds {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let (log, inside) = (seen(), INSIDE.with(Inside::clone));
        agent.blocking_receiver("hold", move |_: Ping, ()| {
            inside.enter();
            log.hold();
            inside.leave();
        });
        let (log, inside) = (seen(), INSIDE.with(Inside::clone));
        agent
            .blocking_consumer::<Job, Job, _, _, _>("work", move |_, ()| {
                inside.enter();
                log.hold();
                inside.leave();
            })
            .concurrency(many(2));
    }
}

async fn the_pool_has_as_many_threads_as_were_set(stage: &Stage) {
    stage.real_time();
    for threads in [1, 3] {
        let log = fresh();
        let inside = INSIDE.with(Inside::clone);
        let group = stage.group().blocking_threads(many(threads)).agent(|| Holds).start().await.unwrap();
        for n in 0..10 {
            group.bus().publish("test", &Ping { n }).await.unwrap();
        }
        until(SOON, "all threads busy", async || inside.now() == threads).await;
        until(SOON, "all in hand", async || group.load().running >= 10).await;
        log.add("go");
        until(SOON, "all", async || group.events().count(EventKind::Handled) == 10).await;
        assert_eq!((inside.most(), inside.now()), (threads, 0));
        group.stop().await;
    }
}

async fn a_blocking_handler_has_its_concurrency(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let inside = INSIDE.with(Inside::clone);
    let group = stage.group().agent(|| Holds).start().await.unwrap();
    for n in 0..6 {
        send(&group, n).await;
    }
    until(SOON, "both", async || inside.now() == 2).await;
    let counts = group.broker().inspect("jobs").await.unwrap();
    assert_eq!((counts.waiting, counts.in_flight), (4, 2), "the rest waits at the broker, though two threads are free");
    log.add("go");
    until(SOON, "all", async || group.events().count(EventKind::Consumed) == 6).await;
    assert_eq!(inside.most(), 2);
    group.stop().await;
}

struct Late;

impl Agent for Late {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent
            .blocking_consumer::<Job, Job, _, _, _>("work", move |job, delivery: Delivery| {
                log.add(format!("{} {}", job.n, delivery.attempt()));
                log.hold();
                log.add("returned");
                assert!(job.n != 13 || delivery.attempt() > 1, "thirteen");
            })
            .concurrency(many(1))
            .timeout(Duration::from_millis(100));
    }
}

async fn a_blocking_run_beyond_its_timeout_has_failed_and_keeps_its_place(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Late).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the timeout", async || group.events().count(EventKind::Retried) == 1).await;
    assert_eq!((log.lines(), group.load().running), (vec!["1 1".to_owned()], 1), "settled while it still runs");
    send(&group, 2).await;
    until(SOON, "the next in the inbox", async || group.load().waiting == 1).await;
    assert_eq!(log.lines(), ["1 1"], "its place is kept until it returns");
    log.add("go");
    until(SOON, "both", async || group.events().count(EventKind::Consumed) == 2).await;
    assert_eq!((log.count("1 2"), log.count("2 1")), (1, 1), "{:?}", log.lines());
    assert_eq!(group.events().count(EventKind::Failed), 1);
    group.stop().await;
}

struct LateAck(Log);

impl Agent for LateAck {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent
            .blocking_consumer::<Job, Job, _, _, _>("work", move |_, delivery: Delivery| {
                log.hold();
                delivery.ack();
                log.add("acknowledged");
            })
            .timeout(Duration::from_millis(100))
            .retry(Retry::default().attempts(1.try_into().unwrap()));
        agent.on_exhausted::<Job, _, _, _, _>("give_up", async |me: &Self, _: Job, _: Exhausted| {
            me.0.add("go");
            while me.0.count("acknowledged") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
}

async fn a_blocking_run_beyond_its_timeout_cannot_acknowledge_what_is_given_up(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(move || LateAck(log.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    assert_eq!(group.events().count(EventKind::Consumed), 0);
    group.stop().await;
}

struct Crowded;

impl Agent for Crowded {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent.blocking_receiver("hold", move |_: Ping, ()| {
            log.add("holds");
            log.hold();
        });
        let log = seen();
        agent
            .blocking_consumer::<Job, Job, _, _, _>("work", move |job, delivery: Delivery| {
                log.add(format!("{} {}", job.n, delivery.attempt()));
            })
            .timeout(Duration::from_millis(100));
    }
}

/// What has failed must not be done after all: its retry does it.
async fn what_had_no_thread_within_its_timeout_never_runs(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().blocking_threads(many(1)).agent(|| Crowded).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the only thread", async || log.count("holds") == 1).await;
    send(&group, 1).await;
    until(SOON, "the timeout", async || group.events().count(EventKind::Retried) == 1).await;
    log.add("go");
    until(SOON, "the retry", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!((log.count("1 1"), log.lines().last().unwrap().starts_with("1 ")), (0, true), "{:?}", log.lines());
    group.stop().await;
}

struct Ticks;

impl Agent for Ticks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let (log, inside) = (seen(), INSIDE.with(Inside::clone));
        agent.blocking_periodic("tick", Duration::from_millis(50), move |()| {
            inside.enter();
            log.hold();
            inside.leave();
        });
    }
}

async fn a_blocking_timer_keeps_its_place_until_it_returns(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let inside = INSIDE.with(Inside::clone);
    let group = stage.group().agent(|| Ticks).start().await.unwrap();
    until(SOON, "what is due while it runs", async || group.events().count(EventKind::TimerSkipped) > 5).await;
    assert_eq!((inside.now(), group.events().count(EventKind::Failed)), (1, 1));
    log.add("go");
    until(SOON, "the next run", async || group.events().count(EventKind::Handled) > 0).await;
    assert_eq!(inside.most(), 1);
    group.stop().await;
}

struct Fails;

impl Agent for Fails {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent.blocking_consumer::<Job, Job, _, _, _>("work", move |_, delivery: Delivery| {
            log.add(delivery.attempt().to_string());
            assert!(delivery.attempt() > 1, "the first");
        });
    }
}

async fn a_panic_of_a_blocking_handler_is_a_crash_and_counts_an_attempt(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Fails).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the second attempt", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(log.lines(), ["1", "2"]);
    let events = group.events();
    let counts =
        (events.count(EventKind::Crashed), events.count(EventKind::Restarted), events.count(EventKind::Retried));
    assert_eq!(counts, (1, 1, 1));
    group.stop().await;
}

async fn a_blocking_handler_that_panics_after_its_timeout_is_a_crash_too(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Late).start().await.unwrap();
    send(&group, 13).await;
    until(SOON, "the timeout", async || group.events().count(EventKind::Retried) == 1).await;
    log.add("go");
    until(SOON, "the crash", async || group.events().count(EventKind::Crashed) == 1).await;
    until(SOON, "the second attempt", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(group.events().count(EventKind::Retried), 1, "one failure is counted once");
    group.stop().await;
}

struct Relays;

impl Agent for Relays {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.blocking_receiver("relay", |ask: Ask, jobs: Push<Job>| -> Result<u64, HandlerError> {
            block_on(jobs.send(&Job { n: ask.n }))?;
            Ok(ask.n + 1)
        });
    }
}

async fn a_blocking_handler_sends_and_answers(stage: &Stage) {
    fresh();
    stage.real_time();
    let group = stage.group().agent(|| Relays).start().await.unwrap();
    assert_eq!(group.bus().call("test", &Ask { n: 41 }).await.unwrap(), 42);
    assert_eq!(group.broker().inspect("jobs").await.unwrap().waiting, 1);
    group.stop().await;
}

async fn a_stop_does_not_wait_for_a_blocking_handler_beyond_its_deadline(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let inside = INSIDE.with(Inside::clone);
    let looks_on = stage.group().start().await.unwrap();
    let group = stage.group().agent(|| Holds).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the handler", async || inside.now() == 1).await;
    let events = group.events().clone();
    let begun = Instant::now();
    group.stop_within(Duration::from_millis(500)).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!((events.count(EventKind::Returned), events.count(EventKind::DeadLettered)), (1, 0));
    let left = looks_on.broker().inspect("jobs").await.unwrap();
    assert_eq!((left.waiting, left.in_flight, left.delayed, left.dead), (1, 0, 0, 0));
    log.add("go");
    looks_on.stop().await;
}
