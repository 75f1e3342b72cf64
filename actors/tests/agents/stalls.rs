use std::time::{Duration, Instant};

use formicary_actors::agent::{Agent, AgentBuilder, Handle, Tasks};
use formicary_actors::events::{Event, EventKind, Listener};
use formicary_actors::group::{AgentOptions, Group};
use formicary_actors::layers::layer;

use super::common::*;
use super::logs;

/// Holds the arbiter, as nobody should.
fn busy(millis: u64) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(millis) {
        std::hint::spin_loop();
    }
}

/// The stalls so far: agent, handler and arbiter.
fn stalls(events: &mut Listener) -> Vec<(String, String, String)> {
    let all = std::iter::from_fn(|| events.try_next());
    let stalls = all.filter_map(|event| match event {
        Event::Stalled { agent, handler, arbiter, took } => {
            assert!(took > Duration::from_millis(100), "{took:?}");
            Some((agent.to_string(), handler.to_string(), arbiter.to_string()))
        }
        _ => None,
    });
    stalls.collect()
}

struct Busy;

impl Agent for Busy {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |_: &Self, ping: Ping, ()| busy(ping.n));
        agent.receiver("later", async |_: &Self, pong: Pong, ()| {
            tokio::task::yield_now().await;
            busy(pong.n);
        });
    }
}

async fn busy_group(stage: &Stage, name: &str) -> Group {
    logs::record();
    stage.group().agent_with(AgentOptions::new().name(name), || Busy).start().await.unwrap()
}

async fn handled(group: &Group, n: u64) {
    until(SOON, "the handling", async || group.events().count(EventKind::Handled) == n).await;
}

#[actix::test]
async fn a_handler_that_holds_its_arbiter_is_reported_with_the_cure() {
    let stage = Stage::memory();
    let group = busy_group(&stage, "busy_bee").await;
    let mut events = group.events().listen();
    for n in 1..=3 {
        group.bus().publish("test", &Ping { n: 150 }).await.unwrap();
        handled(&group, n).await;
        assert_eq!(group.events().count(EventKind::Stalled), n, "one event for each");
    }
    let arbiter = std::thread::current().name().unwrap().to_owned();
    assert_eq!(stalls(&mut events)[0], ("busy_bee".to_owned(), "hear".to_owned(), arbiter));
    let lines = logs::lines(|line| line.fields.get("agent").is_some_and(|agent| agent == "busy_bee"));
    let lines: Vec<_> = lines.iter().filter(|line| line.message().contains("held its arbiter")).collect();
    assert_eq!(lines.len(), 1, "one line a minute: {lines:?}");
    assert_eq!((&*lines[0].fields["handler"], &*lines[0].fields["times"]), ("hear", "1"));
    assert!(lines[0].message().contains("make it `blocking`, or await"), "{lines:?}");
    group.stop().await;
}

#[actix::test]
async fn a_short_turn_and_a_paused_clock_are_no_stall() {
    let stage = Stage::memory();
    let group = busy_group(&stage, "quick_bee").await;
    for n in 1..=5 {
        group.bus().publish("test", &Ping { n: 50 }).await.unwrap();
        handled(&group, n).await;
    }
    tokio::time::advance(Duration::from_secs(3_600)).await;
    group.bus().publish("test", &Pong { n: 0 }).await.unwrap();
    handled(&group, 6).await;
    assert_eq!(group.events().count(EventKind::Stalled), 0);
    group.stop().await;
}

#[actix::test]
async fn a_stall_after_an_await_is_seen_too() {
    let stage = Stage::memory();
    let group = busy_group(&stage, "late_bee").await;
    let mut events = group.events().listen();
    group.bus().publish("test", &Pong { n: 150 }).await.unwrap();
    handled(&group, 1).await;
    let stalls = stalls(&mut events);
    assert_eq!((stalls.len(), &*stalls[0].1), (1, "later"));
    group.stop().await;
}

struct Endless;

impl Agent for Endless {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent.receiver("spin", async move |_: &Self, _: Ping, ()| log.hold());
    }
}

#[actix::test]
async fn a_handler_that_never_returns_is_reported_while_it_goes_on() {
    let stage = Stage::memory();
    stage.real_time();
    let log = fresh();
    let group = stage.group().arbiters(std::num::NonZeroUsize::MIN).agent(|| Endless).start().await.unwrap();
    let mut events = group.events().listen();
    group.bus().publish("test", &Ping { n: 0 }).await.unwrap();
    until(SOON, "the report", async || group.events().count(EventKind::Stalled) == 1).await;
    let stalls = stalls(&mut events);
    assert_eq!((&*stalls[0].0, &*stalls[0].1), ("endless", "spin"));
    assert_ne!(Some(&*stalls[0].2), std::thread::current().name(), "its own arbiter");
    assert_eq!(group.events().count(EventKind::Handled), 0);
    log.add("go");
    handled(&group, 1).await;
    assert_eq!(group.events().count(EventKind::Stalled), 1, "one for one poll");
    group.stop().await;
}

struct Everywhere;

impl Agent for Everywhere {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("hook", async |_: &mut Self, ()| busy(130));
        agent.post_start("after", async |_: Handle<Self>, ()| busy(130));
        agent.periodic("timer", Duration::from_secs(3_600), async |_: &Self, ()| busy(130));
        agent.server("server", async |_: Handle<Self>, ()| {
            busy(130);
            std::future::pending::<()>().await;
        });
        agent.consumer::<Job, _, _, _, _>("layered", async |_: &Self, _: Job, ()| {}).layer(layer(async |_, next| {
            busy(130);
            next.run().await
        }));
    }
}

#[actix::test]
async fn a_stall_is_seen_wherever_it_happens() {
    let stage = Stage::memory();
    let group = stage.group();
    let hub = formicary_actors::events::Events::default();
    let mut events = hub.listen();
    let group = group.events(hub).agent(|| Everywhere).start().await.unwrap();
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    until(SOON, "the message", async || group.events().count(EventKind::Consumed) == 1).await;
    until(SOON, "all five", async || group.events().count(EventKind::Stalled) == 5).await;
    let mut names: Vec<_> = stalls(&mut events).into_iter().map(|(_, handler, _)| handler).collect();
    names.sort();
    assert_eq!(names, ["after", "hook", "layered", "server", "timer"]);
    group.stop().await;
}

struct Lends;

impl Agent for Lends {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.server("lend", async |me: Handle<Self>, ()| {
            me.with(|_| busy(130)).await?;
            std::future::pending::<Result<(), formicary_actors::agent::Gone>>().await
        });
        agent.receiver("spawn", async |_: &Self, _: Ping, tasks: Tasks| {
            tasks.spawn_detached("work", async {
                busy(130);
                Ok::<_, formicary_actors::HandlerError>(())
            })
        });
    }
}

#[actix::test]
async fn a_stall_in_a_closure_of_a_handle_or_in_a_task_is_seen() {
    let stage = Stage::memory();
    let group = stage.group();
    let hub = formicary_actors::events::Events::default();
    let mut events = hub.listen();
    let group = group.events(hub).agent(|| Lends).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    handled(&group, 1).await;
    until(SOON, "both", async || group.events().count(EventKind::Stalled) == 2).await;
    let mut names: Vec<_> = stalls(&mut events).into_iter().map(|(_, handler, _)| handler).collect();
    names.sort();
    assert_eq!(names, ["a closure of a Handle", "work"]);
    group.stop().await;
}
