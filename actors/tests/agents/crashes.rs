use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Handle};
use formicary_actors::events::{Event, EventKind};
use formicary_actors::group::{AgentOptions, Exit};
use formicary_actors::registry::{AgentState, RestartPolicy};
use formicary_actors::{Error, HandlerError};

use super::common::*;

on_each! {
    a_panic_brings_a_fresh_instance_and_nobody_else_notices,
    signals_wait_in_the_inbox_while_the_agent_restarts,
    past_the_intensity_the_group_ends_with_code_3,
    a_server_that_fails_is_a_crash_and_one_that_ends_is_not,
    a_panic_in_a_closure_of_a_handle_is_a_crash,
    a_transient_agent_that_stops_itself_stays_away,
    a_permanent_agent_that_stops_itself_comes_again_after_pre_stop,
    a_hook_that_fails_fails_the_start,
    the_waits_before_restarts_grow,
    a_panic_in_a_timer_or_a_hook_is_a_crash_too,
    a_synchronous_panic_while_decoding_is_a_crash_too,
}

#[derive(Default)]
struct Counter {
    log: Log,
    n: u64,
}

impl Agent for Counter {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("setup", async |me: &mut Self, ()| me.log.add("pre_start"));
        agent.receiver_mut("count", async |me: &mut Self, ping: Ping, ()| {
            if ping.n == 666 {
                panic!("the beast");
            }
            me.n += 1;
            me.log.add(format!("count {}", me.n));
        });
        agent.post_start("up", async |_: Handle<Self>, cx: formicary_actors::agent::Cx| {
            assert_eq!(cx.agent(), "counter");
        });
    }
}

async fn a_panic_brings_a_fresh_instance_and_nobody_else_notices(stage: &Stage) {
    let (log, other) = (Log::default(), Log::default());
    let (seen, seen_other) = (log.clone(), other.clone());
    let group = stage
        .group()
        .agent(move || Counter { log: seen.clone(), n: 0 })
        .agent_with(AgentOptions::new().name("bystander"), move || Bystander(seen_other.clone(), 0))
        .start()
        .await
        .unwrap();
    let mut events = group.events().listen();
    for n in [1, 1, 666, 1] {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "the fresh count", async || log.lines().len() == 5).await;
    assert_eq!(log.lines(), ["pre_start", "count 1", "count 2", "pre_start", "count 1"]);
    until(SOON, "the bystander", async || other.lines().len() == 4).await;
    assert_eq!(other.lines(), ["1", "2", "3", "4"]);
    let mut crashes = Vec::new();
    while let Some(event) = events.try_next() {
        if let Event::Crashed { handler, message, .. } = event {
            crashes.push(format!("{handler}: {message}"));
        }
    }
    assert_eq!(crashes, ["count: the beast"]);
    let agents = group.info().await.agents;
    assert_eq!((agents[0].restarts, agents[0].state), (1, AgentState::Running));
    let crash = agents[0].last_crash.as_ref().unwrap();
    assert_eq!((&*crash.handler, &*crash.message), ("count", "the beast"));
    group.stop().await;
}

struct Bystander(Log, u64);

impl Agent for Bystander {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("see", async |me: &mut Self, _: Ping, ()| {
            me.1 += 1;
            me.0.add(me.1.to_string());
        });
    }
}

async fn signals_wait_in_the_inbox_while_the_agent_restarts(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let slow = RestartPolicy::default().constant(Duration::from_millis(300));
    let options = AgentOptions::new().restart(slow);
    let group = stage.group().agent_with(options, move || Counter { log: seen.clone(), n: 0 }).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 666 }).await.unwrap();
    until(SOON, "the crash", async || group.events().count(EventKind::Crashed) == 1).await;
    for _ in 0..100 {
        group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    }
    assert_eq!(group.events().count(EventKind::Restarted), 0);
    until(SOON, "all that waited", async || log.count("count 100") == 1).await;
    group.stop().await;
}

async fn past_the_intensity_the_group_ends_with_code_3(stage: &Stage) {
    let group = stage.group().agent(Counter::default).start().await.unwrap();
    for _ in 0..6 {
        group.bus().publish("test", &Ping { n: 666 }).await.unwrap();
    }
    let exit = tokio::time::timeout(Duration::from_secs(30), group.ended()).await.unwrap();
    assert_eq!(group.events().count(EventKind::Crashed), 6);
    assert_eq!(exit, Exit::TooManyCrashes { agent: "counter".into(), message: "the beast".into() });
    assert_eq!(group.stop().await.code(), 3);
}

struct Serves(Log);

impl Agent for Serves {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.server("ends", async |me: Handle<Self>, ()| {
            me.with(|me| me.0.add("ends")).await.unwrap();
        });
        agent.server("fails", async |me: Handle<Self>, ()| -> Result<(), HandlerError> {
            let first = me.with_mut(|me| me.0.count("fails") == 0).await?;
            me.with(|me| me.0.add("fails")).await?;
            if first {
                return Err(HandlerError::from("no socket"));
            }
            std::future::pending().await
        });
    }
}

async fn a_server_that_fails_is_a_crash_and_one_that_ends_is_not(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Serves(seen.clone())).start().await.unwrap();
    until(SOON, "both servers twice", async || log.count("ends") == 2 && log.count("fails") == 2).await;
    assert_eq!(group.events().count(EventKind::Crashed), 1);
    group.stop().await;
}

struct Closure(Log);

impl Agent for Closure {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.server("panics", async |me: Handle<Self>, ()| {
            if me.with(|me| me.0.count("once") > 0).await.unwrap() {
                return std::future::pending().await;
            }
            let gone = me.with(|me| {
                me.0.add("once");
                panic!("in the closure");
            });
            assert!(gone.await.is_err());
        });
    }
}

async fn a_panic_in_a_closure_of_a_handle_is_a_crash(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Closure(seen.clone())).start().await.unwrap();
    until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == 1).await;
    assert_eq!(log.lines(), ["once"]);
    group.stop().await;
}

struct Quits(Log);

impl Agent for Quits {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("begin", async |me: &mut Self, ()| me.0.add("begin"));
        agent.receiver("quit", async |_: &Self, _: Ping, cx: formicary_actors::agent::Cx| cx.stop());
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("end"));
    }
}

async fn a_transient_agent_that_stops_itself_stays_away(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let options = AgentOptions::new().restart(RestartPolicy::transient());
    let group = stage.group().agent_with(options, move || Quits(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, group.ended()).await.unwrap(), Exit::Clean);
    assert_eq!(log.lines(), ["begin", "end"]);
    assert_eq!(group.stop().await.code(), 0);
}

async fn a_permanent_agent_that_stops_itself_comes_again_after_pre_stop(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Quits(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the second instance", async || log.lines() == ["begin", "end", "begin"]).await;
    assert_eq!(group.events().count(EventKind::Crashed), 0);
    group.stop().await;
}

struct BadHook;

impl Agent for BadHook {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("connect", async |_: &mut Self, ()| -> Result<(), &str> { Err("no database") });
    }
}

async fn a_hook_that_fails_fails_the_start(stage: &Stage) {
    let error = stage.group().agent(|| BadHook).start().await.unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error:?}");
    assert_eq!(error.to_string(), "agent `bad_hook` cannot start: its `connect` failed: no database");
}

async fn the_waits_before_restarts_grow(stage: &Stage) {
    let group = stage.group().agent(Counter::default).start().await.unwrap();
    let mut waits = Vec::new();
    let mut events = group.events().listen();
    for n in 1..=4 {
        group.bus().publish("test", &Ping { n: 666 }).await.unwrap();
        until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == n).await;
    }
    while let Some(event) = events.try_next() {
        if let Event::Restarted { after, .. } = event {
            waits.push(after);
        }
    }
    assert!(waits[0] <= Duration::from_millis(100), "the first restart is at once: {waits:?}");
    assert!(waits[1] >= Duration::from_millis(50), "{waits:?}");
    assert!(waits[3] >= Duration::from_millis(200), "{waits:?}");
    group.stop().await;
}

struct Everywhere(Log);

impl Agent for Everywhere {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.post_start("up", async |me: Handle<Self>, ()| {
            let starts = me.with(|me| {
                me.0.add("start");
                me.0.count("start")
            });
            if starts.await == Ok(2) {
                panic!("in post_start");
            }
        });
        agent
            .periodic("tick", Duration::from_secs(60), async |me: &Self, ()| {
                if me.0.count("start") == 1 {
                    panic!("in a timer");
                }
            })
            .start_after(Duration::from_millis(50));
    }
}

async fn a_panic_in_a_timer_or_a_hook_is_a_crash_too(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Everywhere(seen.clone())).start().await.unwrap();
    let mut events = group.events().listen();
    let mut crashes = Vec::new();
    while crashes.len() < 2 {
        if let Some(Event::Crashed { handler, .. }) = events.next().await {
            crashes.push(handler.to_string());
        }
    }
    assert_eq!(crashes, ["tick", "up"]);
    until(SOON, "the third instance", async || log.count("start") == 3).await;
    group.stop().await;
}

struct Treacherous;

impl<'de> serde::Deserialize<'de> for Treacherous {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("in Deserialize");
    }
}

struct Decodes;

impl Agent for Decodes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("job", async |_: &Self, _: Treacherous, ()| {});
    }
}

async fn a_synchronous_panic_while_decoding_is_a_crash_too(stage: &Stage) {
    let group = stage.group().agent(|| Decodes).start().await.unwrap();
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    until(SOON, "the crash", async || group.events().count(EventKind::Crashed) >= 1).await;
    // Told when the broker has applied it, which on Redis comes after the crash.
    until(SOON, "the failed attempt", async || group.events().count(EventKind::Retried) == 1).await;
    group.stop().await;
}
