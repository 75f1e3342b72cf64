use std::num::NonZeroUsize;
use std::time::Duration;

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, Call};
use formicary_actors::bus::Bus;
use formicary_actors::events::{DropReason, Event, EventKind};
use futures_util::future::join_all;

use super::common::*;

on_each! {
    a_flood_runs_64_at_once_and_what_the_inbox_cannot_hold_is_counted,
    an_agent_calls_itself_while_its_lanes_are_full,
    a_crash_in_a_burst_leaves_the_rest_to_the_next_instance,
    what_a_crash_cuts_off_is_counted,
    what_a_stop_cuts_off_is_counted,
    an_idle_group_is_idle,
}

async fn publish_all(bus: &Bus, all: impl Iterator<Item = u64>) {
    let sent = all.map(|n| {
        let bus = bus.clone();
        async move { bus.publish("test", &Ping { n }).await.map(drop) }
    });
    let sent: Result<(), _> = join_all(sent).await.into_iter().collect();
    sent.unwrap();
}

struct Slow(Log);

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("slow", async |me: &Self, _: Ping, ()| {
            me.0.add("begun");
            while me.0.count("go") == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
}

async fn a_flood_runs_64_at_once_and_what_the_inbox_cannot_hold_is_counted(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Slow(seen.clone())).start().await.unwrap();
    for start in [0, 5_000] {
        publish_all(group.bus(), start..start + 5_000).await;
    }
    let events = group.events().clone();
    let arrived = || events.count(EventKind::SignalReceived) + events.count(EventKind::Dropped);
    until(SOON, "all of them", async || arrived() == 10_000).await;
    until(SOON, "64 at once", async || log.count("begun") == 64).await;
    assert_eq!((group.load().running, log.count("begun")), (64, 64));
    let dropped = events.count(EventKind::Dropped);
    assert_eq!(group.load().waiting, 10_000 - dropped - 64);
    assert!((8_912..=9_000).contains(&dropped) && group.load().waiting <= 1_024, "{dropped}, {:?}", group.load());
    log.add("go");
    until(SOON, "the rest", async || group.load().is_idle()).await;
    assert_eq!(events.count(EventKind::Handled), 10_000 - dropped);
    group.stop().await;
}

/// Waits at random, or not at all, by what it is sent.
struct Random(Log);

impl Random {
    async fn wait(&self, n: u64) {
        let mut chance = fastrand::Rng::with_seed(n);
        for _ in 0..chance.u32(0..3) {
            match chance.u32(0..4) {
                0 => tokio::time::sleep(Duration::from_millis(chance.u64(0..3))).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        self.0.add(n.to_string());
    }
}

impl Agent for Random {
    fn declare(agent: &mut AgentBuilder<Self>) {
        const ROOM: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
        agent.receiver("reads", async |me: &Self, ping: Ping, ()| me.wait(ping.n).await).inbox(ROOM);
        agent.receiver_mut("writes", async |me: &mut Self, ping: Ping, ()| me.wait(ping.n).await).inbox(ROOM);
        agent
            .receiver("few", async |me: &Self, ping: Ping, ()| me.wait(ping.n).await)
            .inbox(ROOM)
            .concurrency(NonZeroUsize::new(3).unwrap());
    }
}

/// Bursts of random sizes at random distances: each signal is handled exactly once by each of the three.
async fn bursts(stage: &Stage, arbiters: Option<NonZeroUsize>, rounds: usize) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Random(seen.clone()));
    let group = match arbiters {
        Some(arbiters) => group.arbiters(arbiters),
        None => group,
    };
    let group = group.start().await.unwrap();
    let mut sent = 0;
    for round in 0..rounds {
        let size = [1, 2, 3, 64, 65, chance.u64(1..200)][chance.usize(0..6)];
        publish_all(group.bus(), sent..sent + size).await;
        sent += size;
        match chance.u32(0..3) {
            // The next burst finds lanes that wait, lanes that end, or none.
            0 => tokio::task::yield_now().await,
            1 => tokio::time::sleep(Duration::from_millis(chance.u64(0..4))).await,
            _ => {
                let what = format!("all three of {sent} (seed {seed}, round {round})");
                until(SOON, what, async || group.events().count(EventKind::Handled) == 3 * sent).await;
            }
        }
    }
    until(SOON, format!("the end (seed {seed})"), async || group.load().is_idle()).await;
    let mut all: Vec<u64> = log.lines().iter().map(|line| line.parse().unwrap()).collect();
    all.sort_unstable();
    assert!(all.iter().copied().eq((0..sent).flat_map(|n| [n; 3])), "seed {seed}");
    group.stop().await;
}

#[actix::test]
async fn each_signal_of_random_bursts_is_handled_once() {
    bursts(&Stage::memory(), None, 400).await;
}

#[actix::test]
async fn each_signal_of_random_bursts_from_another_thread_is_handled_once() {
    let stage = Stage::memory();
    stage.real_time();
    bursts(&stage, Some(NonZeroUsize::MIN), 300).await;
}

struct Nested(Log);

impl Agent for Nested {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("outer", async |me: &Self, ping: Ping, inner: Call<Ask>| -> Result<(), HandlerError> {
            me.0.add("outer");
            // All of them hold their lanes, and a writer waits for them.
            while me.0.count("outer") < 64 || me.0.count("go") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let answer = inner.first(&Ask { n: ping.n }).await?;
            me.0.add(format!("answer {answer}"));
            Ok(())
        });
        agent.receiver("inner", async |_: &Self, ask: Ask, ()| Ok::<_, HandlerError>(ask.n));
        agent.receiver_mut("writer", async |me: &mut Self, _: Pong, ()| me.0.add("wrote"));
    }
}

async fn an_agent_calls_itself_while_its_lanes_are_full(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Nested(seen.clone())).start().await.unwrap();
    publish_all(group.bus(), 0..64).await;
    until(SOON, "all lanes", async || log.count("outer") == 64).await;
    group.bus().publish("test", &Pong { n: 0 }).await.unwrap();
    until(SOON, "the writer in line", async || group.load().running == 65).await;
    log.add("go");
    until(SOON, "the writer", async || log.count("wrote") == 1).await;
    let lines = log.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("answer")).count(), 64);
    assert_eq!(lines.last().map(String::as_str), Some("wrote"), "after all of them");
    group.stop().await;
}

/// Panics once, in the middle of a burst, with others in hand.
struct Crashes(Log);

impl Agent for Crashes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("count", async |me: &mut Self, ping: Ping, ()| {
            tokio::task::yield_now().await;
            assert!(ping.n != 100, "a hundred");
            me.0.add(ping.n.to_string());
        });
    }
}

async fn a_crash_in_a_burst_leaves_the_rest_to_the_next_instance(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Crashes(seen.clone())).start().await.unwrap();
    publish_all(group.bus(), 0..500).await;
    until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == 1).await;
    until(SOON, "the last", async || log.count("499") == 1).await;
    until(SOON, "the end", async || group.load().is_idle()).await;
    let handled = log.lines().len() as u64;
    let dropped = group.events().count(EventKind::Dropped);
    assert_eq!(handled + dropped + 1, 500, "each is handled, dropped and counted, or the culprit");
    assert!(dropped < 64, "no more than was in hand: {dropped}");
    group.stop().await;
}

struct Breaks(Log);

impl Agent for Breaks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("wait", async |me: &Self, ping: Ping, ()| {
            me.0.add("begun");
            while me.0.count("begun") < 64 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(ping.n != 10, "ten");
            if ping.n < 64 {
                std::future::pending::<()>().await;
            }
            me.0.add("handled");
        });
    }
}

async fn what_a_crash_cuts_off_is_counted(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Breaks(seen.clone())).start().await.unwrap();
    let mut events = group.events().listen();
    publish_all(group.bus(), 0..100).await;
    until(SOON, "the rest", async || log.count("handled") == 36).await;
    until(SOON, "the end", async || group.load().is_idle()).await;
    assert_eq!(group.events().count(EventKind::Dropped), 63, "all that were in hand but the culprit");
    let dropped = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::Dropped { handler, signal, reason, .. } => Some((handler.to_string(), signal.to_string(), reason)),
        _ => None,
    });
    assert_eq!(dropped, Some(("wait".to_owned(), "ping".to_owned(), DropReason::Crashed)));
    group.stop().await;
}

async fn what_a_stop_cuts_off_is_counted(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Slow(seen.clone())).start().await.unwrap();
    publish_all(group.bus(), 0..100).await;
    until(SOON, "64 at once", async || log.count("begun") == 64).await;
    let events = group.events().clone();
    until(SOON, "all of them", async || events.count(EventKind::SignalReceived) == 100).await;
    group.stop_within(Duration::from_millis(200)).await;
    assert_eq!((events.count(EventKind::Handled), events.count(EventKind::Dropped)), (0, 100));
}

/// How long this thread has been on a processor.
#[cfg(target_os = "linux")]
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[cfg(not(target_os = "linux"))]
fn cpu() -> Duration {
    Duration::ZERO
}

async fn an_idle_group_is_idle(stage: &Stage) {
    stage.real_time();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Random(seen.clone())).start().await.unwrap();
    publish_all(group.bus(), 0..300).await;
    until(SOON, "all", async || group.events().count(EventKind::Handled) == 900).await;
    until(SOON, "an idle group", async || group.load().is_idle()).await;
    let before = cpu();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = cpu() - before;
    assert!(spent < Duration::from_millis(30) && group.load().is_idle(), "{spent:?} in a second");
    group.stop().await;
}
