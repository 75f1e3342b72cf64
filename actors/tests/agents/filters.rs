//! Filters: which signals and calls a receiver handles.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, AnySignal, HandlerCounts};
use formicary_actors::events::{Event, EventKind};
use formicary_actors::group::Group;
use formicary_actors::testing::Harness;
use formicary_actors::{CallError, Error, Limits};
use futures_util::FutureExt;

use super::common::*;

on_each! {
    what_a_filter_refuses_is_counted_and_is_nothing_else,
    a_call_that_a_filter_refuses_has_the_answer_of_the_others,
    a_filter_is_asked_before_the_turn,
    a_filter_that_panics_is_a_crash_of_its_handler,
    a_filter_that_looks_at_another_type_is_refused,
}

struct Sifts(Log);

impl Agent for Sifts {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("large", async |me: &Self, ping: Ping, ()| me.0.add(format!("large {}", ping.n))).filter(
            |ping: &Ping| match ping.n {
                66 => panic!("the filter breaks"),
                n => n > 9,
            },
        );
        agent
            .receiver_of(&["p*"], "pongs", async |me: &Self, any: AnySignal, ()| me.0.add(any.signal))
            .filter(|any: &AnySignal| any.is::<Pong>());
        agent.receiver("odd", async |_: &Self, ask: Ask, ()| Ok::<_, Error>(ask.n)).filter(|ask: &Ask| ask.n % 2 == 1);
        agent
            .blocking_receiver("third", |ask: Ask, ()| Ok::<_, Error>(ask.n * 100))
            .filter(|ask: &Ask| ask.n.is_multiple_of(3));
    }
}

async fn sifts(stage: &Stage) -> (Log, Group) {
    let log = Log::default();
    let seen = log.clone();
    let mut limits = Limits::default();
    limits.call_deadline = Duration::from_secs(1);
    (log, stage.group().limits(limits).agent(move || Sifts(seen.clone())).start().await.unwrap())
}

async fn counts(group: &Group, handler: usize) -> HandlerCounts {
    group.info().await.agents.remove(0).info.receivers[handler].handler.counts
}

async fn what_a_filter_refuses_is_counted_and_is_nothing_else(stage: &Stage) {
    let (log, group) = sifts(stage).await;
    let mut events = group.events().listen();
    for n in [5, 10] {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    group.bus().publish("test", &Pong { n: 1 }).await.unwrap();
    until(SOON, "both", async || log.lines() == ["large 10", "pong"]).await;
    until(SOON, "idle", async || group.load().is_idle()).await;
    let mut filtered = Vec::new();
    while let Some(event) = events.try_next() {
        if let Event::Filtered { agent, handler, signal } = event {
            filtered.push(format!("{agent} {handler} {signal}"));
        }
    }
    filtered.sort();
    assert_eq!(filtered, ["sifts large ping", "sifts pongs ping", "sifts pongs ping"]);
    let large = counts(&group, 0).await;
    assert_eq!((large.handled, large.filtered, large.failed, large.dropped), (1, 1, 0, 0));
    for (kind, count) in [(EventKind::Filtered, 3), (EventKind::Handled, 2), (EventKind::BadInput, 0)] {
        assert_eq!(group.events().count(kind), count, "{kind:?}");
    }
    let info = group.info().await.to_string();
    assert!(info.contains("1 handled, 1 filtered"), "{info}");
    group.stop().await;
}

async fn a_call_that_a_filter_refuses_has_the_answer_of_the_others(stage: &Stage) {
    stage.real_time();
    let (_log, group) = sifts(stage).await;
    for (asked, answer) in [(1, 1), (6, 600)] {
        assert_eq!(group.bus().call("test", &Ask { n: asked }).await.unwrap(), answer);
    }
    let error = group.bus().call("test", &Ask { n: 2 }).await.unwrap_err();
    assert!(matches!(error, Error::Call(CallError::Timeout { .. })), "{error}");
    // An answer has the keys of those only that handled the call.
    assert_eq!(group.bus().call("test", &Ask { n: 3 }).await.unwrap(), 3);
    assert_eq!((counts(&group, 2).await.filtered, counts(&group, 3).await.filtered), (2, 2));
    group.stop().await;
}

struct Slow(Log);

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver_mut("slow", async |me: &mut Self, ping: Ping, ()| {
                me.0.add(format!("begin {}", ping.n));
                std::future::pending::<()>().await;
            })
            .timeout(Duration::from_secs(2))
            .filter(|ping: &Ping| ping.n == 0);
    }
}

async fn a_filter_is_asked_before_the_turn(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Slow(seen.clone())).start().await.unwrap();
    for n in 0..100 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "all but one", async || group.events().count(EventKind::Filtered) == 99).await;
    assert_eq!(group.events().count(EventKind::Failed), 0, "the turn is still taken");
    assert_eq!(log.lines(), ["begin 0"]);
    group.stop().await;
}

async fn a_filter_that_panics_is_a_crash_of_its_handler(stage: &Stage) {
    let (log, group) = sifts(stage).await;
    let mut events = group.events().listen();
    group.bus().publish("test", &Ping { n: 66 }).await.unwrap();
    until(SOON, "the next instance", async || group.events().count(EventKind::Restarted) == 1).await;
    let crash = std::iter::from_fn(|| events.next().now_or_never().flatten()).find_map(|event| match event {
        Event::Crashed { handler, message, .. } => Some((handler.to_string(), message.to_string())),
        _ => None,
    });
    assert_eq!(crash, Some(("large".to_owned(), "the filter breaks".to_owned())));
    let large = counts(&group, 0).await;
    assert_eq!((large.panicked, large.filtered, large.running), (1, 0, 0));
    group.bus().publish("test", &Ping { n: 10 }).await.unwrap();
    until(SOON, "the handler", async || log.lines() == ["large 10"]).await;
    group.stop().await;
}

struct Misled;

impl Agent for Misled {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |_: &Self, _: Ping, ()| {}).filter(|_: &Pong| true);
    }
}

async fn a_filter_that_looks_at_another_type_is_refused(stage: &Stage) {
    let Err(Error::Misfit { problems, .. }) = stage.group().agent(|| Misled).start().await else {
        panic!("it started")
    };
    let [problem] = &*problems else { panic!("{problems:?}") };
    assert!(problem.starts_with("`hear`: the filter looks at a `"), "{problem}");
    assert!(problem.contains("::Pong`, and its payload is `") && problem.ends_with("::Ping`"), "{problem}");
}

#[actix::test]
async fn a_harness_tells_what_a_filter_refuses_at_once() {
    tokio::time::pause();
    let log = Log::default();
    let seen = log.clone();
    let agent = Harness::of(move || Sifts(seen.clone())).declarations(declarations()).start().await.unwrap();
    assert!(agent.signal_each("test", &Ping { n: 1 }).await.is_empty());
    let each = agent.signal_each("test", &Pong { n: 1 }).await;
    assert_eq!(each.len(), 1, "{each:?}");
    let error = agent.call("test", &Ask { n: 2 }).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    agent.stop().await;
}
