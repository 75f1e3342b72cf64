use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::Error;
use formicary_actors::agent::{Agent, AgentBuilder, AnySignal, Handle, Receivers, SentBy};
use formicary_actors::events::EventKind;
use formicary_actors::group::{AgentOptions, Group};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use super::common::*;

on_each! {
    a_receiver_that_is_added_hears_from_then_on,
    a_handler_is_swapped_in_a_stream_without_a_gap,
    a_replacement_waits_for_the_places_of_the_one_before,
    a_replacement_that_hears_other_signals_leaves_what_waits_to_the_one_before,
    unsubscribed_means_that_nothing_enters_and_what_waits_is_handled,
    a_receiver_added_before_the_start_hears_the_first_signal,
    a_call_is_answered_by_declared_and_added_receivers_at_once,
    what_was_added_stays_after_a_crash,
    what_does_not_fit_is_refused_as_at_the_start,
    only_receivers_may_be_added,
    changes_are_made_in_order,
    a_change_of_an_agent_that_ends_is_refused,
    an_agent_without_signals_only_notes,
    any_handler_may_ask_for_the_receivers,
}

/// Gives its handle to the test.
pub struct Open {
    pub log: Log,
    pub handle: Arc<Mutex<Option<Handle<Open>>>>,
}

impl Agent for Open {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("ask", async |_: &Self, ask: Ask, ()| match ask.n {
            1 => Err("no answer to 1"),
            n => Ok(n),
        });
        agent.receiver("tell", async |_: &Self, _: Tell, ()| -> () { panic!("told to") });
        agent.post_start("give", async |me: Handle<Self>, ()| {
            let given = me.clone();
            me.with(move |me| *me.handle.lock().unwrap() = Some(given)).await
        });
    }
}

async fn open(stage: &Stage, options: AgentOptions) -> (Group, Handle<Open>, Log) {
    let (log, handle) = (Log::default(), Arc::<Mutex<_>>::default());
    let (seen, given) = (log.clone(), handle.clone());
    let factory = move || Open { log: seen.clone(), handle: given.clone() };
    let group = stage.group().agent_with(options, factory).start().await.unwrap();
    let handle = handle.lock().unwrap().clone().unwrap();
    (group, handle, log)
}

fn usize(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

pub async fn receivers(group: &Group) -> Vec<String> {
    let receivers = group.info().await.agents.remove(0).info.receivers;
    receivers.iter().map(|receiver| format!("{} {}", receiver.handler.name, receiver.signals.join(" "))).collect()
}

async fn a_receiver_that_is_added_hears_from_then_on(stage: &Stage) {
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    assert_eq!(group.bus().publish("test", &Ping { n: 1 }).await.unwrap(), stage.receivers(0));
    me.receive(|agent| {
        agent.receiver("extra", async |me: &Open, ping: Ping, from: SentBy| me.log.add(format!("{from} {}", ping.n)));
    })
    .await
    .unwrap();
    assert_eq!(group.bus().publish("test", &Ping { n: 2 }).await.unwrap(), stage.receivers(1));
    until(SOON, "the signal", async || log.lines() == ["test 2"]).await;
    assert_eq!(receivers(&group).await, ["ask ask", "tell tell", "extra ping"]);
    group.stop().await;
}

async fn a_handler_is_swapped_in_a_stream_without_a_gap(stage: &Stage) {
    const SIGNALS: u64 = 10_000;
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    let swap = async |version: usize| {
        me.receive(move |agent| {
            let heard = async move |me: &mut Open, ping: Ping, ()| {
                if ping.n & 7 == 0 {
                    tokio::task::yield_now().await;
                }
                me.log.add(format!("{version} {}", ping.n));
            };
            agent.receiver_mut("heard", heard).inbox(usize(20_000));
        })
        .await
        .unwrap();
    };
    swap(0).await;
    for version in 1..=3 {
        let first = (version as u64 - 1) * SIGNALS / 3;
        let (half, end) = (first + SIGNALS / 6, version as u64 * SIGNALS / 3);
        publish(&group, first..half).await;
        // In the midst of the stream.
        tokio::join!(publish(&group, half..end), swap(version));
        until(SOON, "the new handler", async || log.lines().iter().any(|line| line[..1] == version.to_string())).await;
    }
    until(SOON * 3, "all", async || log.lines().len() as u64 >= SIGNALS).await;
    let lines = log.lines();
    let heard: Vec<_> = lines.iter().map(|line| line.split_once(' ').unwrap()).collect();
    let numbers: Vec<u64> = heard.iter().map(|(_, n)| n.parse().unwrap()).collect();
    assert_eq!(numbers, (0..SIGNALS).collect::<Vec<_>>(), "each once and in order");
    let versions: Vec<_> = heard.iter().map(|(version, _)| *version).collect();
    assert!(versions.is_sorted(), "an old handler ran after a new one");
    for version in ["0", "1", "2", "3"] {
        assert!(versions.contains(&version), "{version} never ran");
    }
    assert_eq!(group.events().count(EventKind::Dropped), 0);
    group.stop().await;
}

/// Adds a line, and waits for a permit.
fn gated(agent: &mut AgentBuilder<Open>, word: &'static str, gate: &Arc<Semaphore>) {
    let gate = gate.clone();
    let run = async move |me: &Open, ping: Ping, ()| {
        me.log.add(format!("{word} {}", ping.n));
        gate.acquire().await.unwrap().forget();
    };
    agent.receiver("gated", run).concurrency(usize(1));
}

pub async fn publish(group: &Group, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
}

async fn a_replacement_waits_for_the_places_of_the_one_before(stage: &Stage) {
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    let (old, new) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(100)));
    let (gate, next) = (old.clone(), new.clone());
    me.receive(move |agent| gated(agent, "old", &gate)).await.unwrap();
    publish(&group, 0..3).await;
    until(SOON, "the first", async || log.lines() == ["old 0"]).await;
    me.receive(move |agent| gated(agent, "new", &next)).await.unwrap();
    publish(&group, 3..5).await;
    // The agent goes on with all else, and the one place is still the old handler's.
    assert_eq!(group.bus().call("test", &Ask { n: 7 }).await.unwrap(), 7);
    assert_eq!(log.lines(), ["old 0"]);
    old.add_permits(1);
    until(SOON, "the others", async || log.lines().len() == 5).await;
    assert_eq!(log.lines(), ["old 0", "new 1", "new 2", "new 3", "new 4"]);
    until(SOON, "idle", async || group.load().is_idle()).await;
    group.stop().await;
}

async fn a_replacement_that_hears_other_signals_leaves_what_waits_to_the_one_before(stage: &Stage) {
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    me.receive(move |agent| {
        let run = async move |me: &Open, signal: AnySignal, ()| {
            me.log.add(format!("old {} {}", signal.signal, signal.arguments["n"]));
            held.acquire().await.unwrap().forget();
        };
        agent.receiver_of(&["ping", "ask"], "several", run).concurrency(usize(1));
    })
    .await
    .unwrap();
    let publish = async |signal: &str, n: u64| {
        group.bus().dynamic("test", signal, &serde_json::json!({ "n": n })).await.unwrap();
    };
    publish("ask", 0).await;
    until(SOON, "the first", async || log.lines().len() == 1).await;
    for (n, signal) in ["ping", "ask", "ping", "ask"].into_iter().enumerate() {
        publish(signal, n as u64 + 1).await;
    }
    me.receive(|agent| {
        agent.receiver_of(&["pong", "ask"], "several", async |me: &Open, signal: AnySignal, ()| {
            me.log.add(format!("new {} {}", signal.signal, signal.arguments["n"]));
        });
    })
    .await
    .unwrap();
    publish("ask", 5).await;
    publish("pong", 6).await;
    assert_eq!(
        group.bus().publish("test", &Ping { n: 7 }).await.unwrap(),
        stage.receivers(0),
        "nobody hears it any more"
    );
    gate.add_permits(100);
    until(SOON, "all", async || log.lines().len() == 7).await;
    until(SOON, "idle", async || group.load().is_idle()).await;
    let of = |word: &str| log.lines().into_iter().filter(|line| line.starts_with(word)).collect::<Vec<_>>();
    assert_eq!(of("old"), ["old ask 0", "old ping 1", "old ping 3"]);
    assert_eq!(of("new"), ["new ask 2", "new ask 4", "new ask 5", "new pong 6"]);
    assert_eq!(receivers(&group).await, ["ask ask", "tell tell", "several pong ask"]);
    group.stop().await;
}

async fn unsubscribed_means_that_nothing_enters_and_what_waits_is_handled(stage: &Stage) {
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    me.receive(move |agent| {
        agent.receiver("other", async |_: &Open, _: Ping, ()| {});
        gated(agent, "gated", &held);
    })
    .await
    .unwrap();
    publish(&group, 0..3).await;
    until(SOON, "the first", async || log.lines().len() == 1).await;
    until(SOON, "all three", async || group.events().count(EventKind::SignalReceived) == 3).await;
    assert!(me.unsubscribe("gated").await);
    assert!(!me.unsubscribe("gated").await, "there is none any more");
    assert_eq!(
        group.bus().publish("test", &Ping { n: 3 }).await.unwrap(),
        stage.receivers(1),
        "the other one still hears it"
    );
    assert!(me.unsubscribe("other").await);
    assert_eq!(group.bus().publish("test", &Ping { n: 4 }).await.unwrap(), stage.receivers(0));
    gate.add_permits(100);
    until(SOON, "what waited", async || log.lines().len() == 3).await;
    until(SOON, "idle", async || group.load().is_idle()).await;
    assert_eq!(log.lines(), ["gated 0", "gated 1", "gated 2"]);
    // Its closure, and with it what it holds, is gone.
    until(SOON, "the closure", async || Arc::strong_count(&gate) == 1).await;
    assert!(me.unsubscribe("ask").await, "a declared one too");
    assert!(group.bus().call("test", &Ask { n: 2 }).await.is_err());
    assert_eq!(receivers(&group).await, ["tell tell"]);
    // And again.
    me.receive(move |agent| gated(agent, "again", &Arc::new(Semaphore::new(100)))).await.unwrap();
    publish(&group, 5..6).await;
    until(SOON, "again", async || log.count("again 5") == 1).await;
    group.stop().await;
}

struct Early(Log);

impl Agent for Early {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("add", async |me: &mut Self, receivers: Receivers<Self>| {
            receivers
                .receive(|agent| {
                    agent.receiver("early", async |me: &Self, ping: Ping, ()| me.0.add(format!("early {}", ping.n)));
                    agent.receiver("late", async |_: &Self, _: Pong, ()| {});
                })
                .await?;
            assert!(receivers.unsubscribe("late").await);
            me.0.add("noted");
            Ok::<_, Error>(())
        });
        agent.receiver("crash", async |_: &Self, _: Tell, ()| -> () { panic!("told to") });
    }
}

async fn a_receiver_added_before_the_start_hears_the_first_signal(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Early(seen.clone())).start().await.unwrap();
    assert_eq!(group.bus().publish("test", &Ping { n: 1 }).await.unwrap(), stage.receivers(1));
    assert_eq!(group.bus().publish("test", &Pong { n: 1 }).await.unwrap(), stage.receivers(0));
    until(SOON, "the first signal", async || log.lines() == ["noted", "early 1"]).await;
    assert_eq!(receivers(&group).await, ["crash tell", "early ping"]);
    // The next instance adds it again, which replaces it.
    group.bus().publish("test", &Tell { n: 1 }).await.unwrap();
    until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == 1).await;
    assert_eq!(group.bus().publish("test", &Ping { n: 2 }).await.unwrap(), stage.receivers(1));
    until(SOON, "once", async || log.lines() == ["noted", "early 1", "noted", "early 2"]).await;
    group.stop().await;
}

async fn a_call_is_answered_by_declared_and_added_receivers_at_once(stage: &Stage) {
    let (group, me, _) = open(stage, AgentOptions::new()).await;
    me.receive(|agent| {
        agent.receiver("more", async |_: &Open, ask: Ask, ()| match ask.n {
            2 => Err("no more"),
            n => Ok(n + 100),
        });
    })
    .await
    .unwrap();
    let call = async |n| group.bus().call("test", &Ask { n }).await;
    // The first answer of the agent has the keys of both: the value that is there, and the error of the other.
    assert_eq!(call(1).await.unwrap(), 101, "`ask` has no answer to 1");
    assert_eq!(call(2).await.unwrap(), 2, "`more` has no answer to 2");
    assert_eq!(call(3).await.unwrap(), 3, "in the order of the receivers");
    until(SOON, "all answers", async || group.load().is_idle()).await;
    assert_eq!(group.events().count(EventKind::CallAnswered), 3);
    assert_eq!(group.events().count(EventKind::DuplicateAnswer), 0, "one answer of one agent");
    group.stop().await;
}

async fn what_was_added_stays_after_a_crash(stage: &Stage) {
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    me.receive(|agent| {
        agent.receiver("extra", async |me: &Open, ping: Ping, ()| me.log.add(format!("extra {}", ping.n)));
    })
    .await
    .unwrap();
    assert!(me.unsubscribe("ask").await);
    group.bus().publish("test", &Tell { n: 1 }).await.unwrap();
    until(SOON, "the crash", async || group.events().count(EventKind::Crashed) == 1).await;
    publish(&group, 1..101).await;
    until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == 1).await;
    publish(&group, 101..102).await;
    until(SOON, "all", async || log.lines().len() == 101).await;
    assert_eq!(receivers(&group).await, ["tell tell", "extra ping"]);
    assert!(group.bus().call("test", &Ask { n: 2 }).await.is_err(), "what was ended stays so");
    let gone = me.receive(|agent| _ = agent.receiver("late", async |_: &Open, _: Ping, ()| {})).await;
    assert!(matches!(gone, Err(Error::Closed(_))), "a handle ends with its instance");
    group.stop().await;
}

/// A signal that nobody declared, and one that is declared otherwise.
macro_rules! wrong {
    ($name:ident, $wire:literal) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct $name {
            n: String,
        }

        impl formicary_protocol::Signal for $name {
            const NAME: &'static str = $wire;
            type Answer = u64;

            fn fields() -> Vec<formicary_protocol::Field> {
                vec![formicary_protocol::Field::of::<String>("n")]
            }
        }
    };
}

wrong!(Undeclared, "undeclared");
wrong!(WrongAsk, "ask");

struct Wrong;

impl Agent for Wrong {
    fn declare(agent: &mut AgentBuilder<Self>) {
        wrong(agent);
    }
}

fn wrong<A: 'static>(agent: &mut AgentBuilder<A>) {
    agent.receiver("a", async |_: &A, _: Undeclared, ()| {});
    agent.receiver("b", async |_: &A, _: WrongAsk, _: Receivers<Early>| Ok::<_, Error>("text".to_owned()));
    agent.receiver("b", async |_: &A, _: Ping, _: formicary_actors::agent::Delivery| {});
}

async fn what_does_not_fit_is_refused_as_at_the_start(stage: &Stage) {
    let Err(Error::Misfit { problems: at_start, .. }) = stage.group().agent(|| Wrong).start().await else { panic!() };
    assert_eq!(at_start.len(), 6, "{at_start:?}");
    assert!(at_start.iter().any(|problem| problem.contains("`Receivers` of another agent")), "{at_start:?}");
    let (group, me, _) = open(stage, AgentOptions::new()).await;
    let Err(Error::Misfit { agent, problems }) = me.receive(wrong::<Open>).await else { panic!() };
    assert_eq!((&*agent, problems), ("open", at_start));
    assert_eq!(receivers(&group).await, ["ask ask", "tell tell"]);
    group.stop().await;
}

async fn only_receivers_may_be_added(stage: &Stage) {
    let (group, me, _) = open(stage, AgentOptions::new()).await;
    let change = me.receive(|agent| {
        agent.name("other");
        agent.receiver("fits", async |_: &Open, _: Ping, ()| {});
        agent.periodic("tick", Duration::from_secs(1), async |_: &Open, ()| {});
    });
    let Err(Error::Misfit { problems, .. }) = change.await else { panic!() };
    assert_eq!(
        problems,
        [
            "`tick` is a periodic: a running agent takes receivers only, declare it in `Agent::declare`",
            "a running agent keeps its name: give it in `Agent::declare`",
        ]
    );
    assert_eq!(group.bus().publish("test", &Ping { n: 1 }).await.unwrap(), stage.receivers(0), "all or nothing");
    group.stop().await;
}

async fn changes_are_made_in_order(stage: &Stage) {
    let (group, me, log) = open(stage, AgentOptions::new()).await;
    let version = |n: u64| {
        me.receive(move |agent| {
            agent.receiver("v", async move |me: &Open, _: Ping, ()| me.log.add(n.to_string()));
        })
    };
    let (first, second, gone, third) = tokio::join!(version(1), version(2), me.unsubscribe("v"), version(3));
    assert!(first.is_ok() && second.is_ok() && gone && third.is_ok());
    assert_eq!(group.bus().publish("test", &Ping { n: 1 }).await.unwrap(), stage.receivers(1));
    until(SOON, "the last", async || log.lines().len() == 1).await;
    assert_eq!(log.lines(), ["3"]);
    assert!(version(4).now_or_never().is_none(), "dropped after its first poll");
    until(SOON, "the change", async || {
        publish(&group, 2..3).await;
        log.count("4") > 0
    })
    .await;
    group.stop().await;
}

struct Ends(Log);

impl Agent for Ends {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_stop("end", async |me: &mut Self, receivers: Receivers<Self>| {
            let change = receivers.receive(|agent| _ = agent.receiver("late", async |_: &Self, _: Ping, ()| {})).await;
            me.0.add(format!("{} {}", change.unwrap_err(), receivers.unsubscribe("late").await));
        });
    }
}

async fn a_change_of_an_agent_that_ends_is_refused(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Ends(seen.clone())).start().await.unwrap();
    group.stop().await;
    assert_eq!(log.lines(), ["the agent is closed: the group it belongs to has stopped false"]);
}

async fn an_agent_without_signals_only_notes(stage: &Stage) {
    let mut flags = formicary_actors::agent::StartFlags::default();
    flags.signals = false;
    let (group, me, _) = open(stage, AgentOptions::new().flags(flags)).await;
    me.receive(|agent| _ = agent.receiver("extra", async |_: &Open, _: Ping, ()| {})).await.unwrap();
    assert_eq!(group.bus().publish("test", &Ping { n: 1 }).await.unwrap(), stage.receivers(0));
    assert_eq!(receivers(&group).await, ["ask ask", "tell tell", "extra ping"]);
    group.stop().await;
}

struct Once(Log);

impl Agent for Once {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("once", async |me: &mut Self, ping: Ping, receivers: Receivers<Self>| {
            me.0.add(format!("once {} {}", ping.n, receivers.unsubscribe("once").await));
        });
    }
}

async fn any_handler_may_ask_for_the_receivers(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Once(seen.clone())).start().await.unwrap();
    publish(&group, 0..1).await;
    until(SOON, "the one", async || log.lines() == ["once 0 true"]).await;
    assert_eq!(group.bus().publish("test", &Ping { n: 1 }).await.unwrap(), stage.receivers(0));
    group.stop().await;
}
