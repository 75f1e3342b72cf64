//! Receivers that hear signals by patterns of their names.

use std::sync::Mutex;

use formicary_actors::Error;
use formicary_actors::agent::{Agent, AgentBuilder, AnySignal, Receivers};
use formicary_actors::events::EventKind;

use super::common::*;

on_each! {
    a_pattern_hears_the_declared_signals_that_it_matches,
    a_receiver_by_pattern_answers_calls,
    a_pattern_that_matches_nothing_is_refused_with_the_nearest,
    patterns_are_for_receivers_that_are_added_too,
}

/// What a test has one receiver of an agent hear.
type Signals = &'static [&'static str];

thread_local! {
    static HEARD: Mutex<Signals> = const { Mutex::new(&[]) };
}

struct Hears(Log);

impl Agent for Hears {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let signals = HEARD.with(|signals| *signals.lock().unwrap());
        agent.receiver_of(signals, "hear", async |me: &Self, any: AnySignal, ()| {
            me.0.add(format!("{} {}", any.signal, any.arguments["n"]));
            any.arguments["n"].clone().as_u64().ok_or("no number")
        });
        agent.receiver("add", async |_: &Self, tell: Tell, receivers: Receivers<Self>| {
            let added = receivers.receive(|agent| {
                let pattern = if tell.n == 1 { "p*" } else { "q*" };
                agent.receiver_of(&[pattern], "added", async |me: &Self, any: AnySignal, ()| {
                    me.0.add(format!("added {}", any.signal));
                });
            });
            added.await
        });
    }
}

fn hears(stage: &Stage, signals: Signals) -> (Log, formicary_actors::group::GroupBuilder) {
    HEARD.with(|heard| *heard.lock().unwrap() = signals);
    let log = Log::default();
    let seen = log.clone();
    (log, stage.group().agent(move || Hears(seen.clone())))
}

async fn a_pattern_hears_the_declared_signals_that_it_matches(stage: &Stage) {
    let (log, group) = hears(stage, &["p?ng", "ask", "*ing"]);
    let group = group.start().await.unwrap();
    stage.publish_raw(b"PUBSUB:pxng:test", b"{\"n\": 0}").await;
    for (n, signal) in ["ping", "pong", "ask"].into_iter().enumerate() {
        group.bus().dynamic("test", signal, &serde_json::json!({ "n": n })).await.unwrap();
    }
    until(SOON, "three", async || log.lines().len() == 3).await;
    assert_eq!(log.lines(), ["ping 0", "pong 1", "ask 2"], "each once, and no signal that is not declared");
    assert_eq!(group.events().count(EventKind::SignalReceived), 3);
    let agent = group.info().await.agents.remove(0).info;
    assert_eq!(agent.receivers[0].signals, ["ping", "pong", "ask"]);
    assert_eq!(agent.receivers[0].patterns, ["p?ng", "*ing"]);
    assert!(agent.to_string().contains("by p?ng, *ing"), "{agent}");
    group.stop().await;
}

async fn a_receiver_by_pattern_answers_calls(stage: &Stage) {
    let (_log, group) = hears(stage, &["a*"]);
    let group = group.start().await.unwrap();
    assert_eq!(group.bus().call("test", &Ask { n: 5 }).await.unwrap(), 5);
    group.stop().await;
}

async fn a_pattern_that_matches_nothing_is_refused_with_the_nearest(stage: &Stage) {
    let (_log, group) = hears(stage, &["pimg*", "x*y", "ping"]);
    let Err(Error::Misfit { problems, .. }) = group.start().await else { panic!("it started") };
    assert_eq!(
        problems,
        [
            "`hear` receives `pimg*`, which stands for no declared signal: the nearest is `ping`",
            "`hear` receives `x*y`, which stands for no declared signal: add one to the declarations, or correct the \
             pattern",
        ]
    );
}

async fn patterns_are_for_receivers_that_are_added_too(stage: &Stage) {
    let (log, group) = hears(stage, &["ask"]);
    let group = group.start().await.unwrap();
    group.bus().call("test", &Tell { n: 1 }).await.unwrap();
    group.bus().publish("test", &Pong { n: 2 }).await.unwrap();
    until(SOON, "the signal", async || log.lines() == ["added pong"]).await;
    let error = group.bus().call("test", &Tell { n: 2 }).await.unwrap_err().to_string();
    assert!(error.contains("`added` receives `q*`"), "{error}");
    group.bus().publish("test", &Ping { n: 3 }).await.unwrap();
    until(SOON, "the signal", async || log.lines() == ["added pong", "added ping"]).await;
    group.stop().await;
}

#[test]
fn any_signal_reads_its_own_type_only() {
    let any = AnySignal::of(&Ping { n: 7 }).unwrap();
    assert!(any.is::<Ping>() && !any.is::<Pong>());
    assert_eq!(any.decode::<Ping>().unwrap(), Ping { n: 7 });
    let error = any.decode::<Pong>().unwrap_err().to_string();
    assert!(error.contains("`pong`") && error.contains("`ping`"), "{error}");
}
