use std::time::Duration;

use chrono::{TimeZone, Utc};
use formicary_actors::agent::{Agent, AgentBuilder, AnySignal, Handle, Invocation};
use formicary_actors::events::EventKind;
use formicary_actors::layers::{Layer, LayerFuture, Next, layer};
use formicary_actors::{CallError, Clock, Error, HandlerError};

use super::common::*;

on_each! {
    layers_stand_in_their_order_around_every_kind_of_handler,
    a_layer_may_refuse_or_change_what_comes_out,
    a_layer_that_panics_is_a_crash_of_the_agent,
    a_layer_that_panics_before_it_waits_counts_an_attempt,
    a_layer_that_hangs_is_cut_off_by_the_timeout,
    a_layer_sees_what_is_handled,
}

/// A layer that notes when it is entered and left.
fn note(word: &'static str) -> impl Layer {
    let log = seen();
    layer(async move |run, next| {
        log.add(format!("{} {word}", run.handler()));
        let outcome = next.run().await;
        log.add(format!("{} /{word}", run.handler()));
        outcome
    })
}

struct Kinds(Log);

impl Agent for Kinds {
    fn declare(agent: &mut AgentBuilder<Self>) {
        const PERIOD: Duration = Duration::from_secs(3_600);
        let log = seen();
        let blocking = move |word: &'static str| {
            let log = log.clone();
            move || log.add(format!("{word} runs"))
        };
        agent.layer(note("c")).layer(note("d"));
        agent.receiver("receiver", async |me: &Self, _: Ping, ()| me.ran("receiver")).layer(note("e"));
        agent.receiver_mut("writer", async |me: &mut Self, _: Ping, ()| me.ran("writer")).layer(note("e"));
        agent.receiver_of(&["ping"], "several", async |me: &Self, _: AnySignal, ()| me.ran("several")).layer(note("e"));
        agent
            .consumer::<Job, _, _, _, _>("consumer", async |me: &Self, _: Job, ()| me.ran("consumer"))
            .layer(note("e"));
        agent.periodic("periodic", PERIOD, async |me: &Self, ()| me.ran("periodic")).layer(note("e"));
        agent.cron("cron", "* * * * *", "UTC", async |me: &Self, ()| me.ran("cron")).layer(note("e"));
        agent.pre_start("pre_start", async |me: &mut Self, ()| me.ran("pre_start")).layer(note("e"));
        agent
            .post_start("post_start", async |me: Handle<Self>, ()| me.with(|me| me.ran("post_start")).await)
            .layer(note("e"));
        agent.pre_stop("pre_stop", async |me: &mut Self, ()| me.ran("pre_stop")).layer(note("e"));
        agent.server("server", async |me: Handle<Self>, ()| me.with(|me| me.ran("server")).await).layer(note("e"));
        let run = blocking("b_receiver");
        agent.blocking_receiver("b_receiver", move |_: Ping, ()| run()).layer(note("e"));
        let run = blocking("b_several");
        agent.blocking_receiver_of(&["ping"], "b_several", move |_, ()| run()).layer(note("e"));
        let run = blocking("b_periodic");
        agent.blocking_periodic("b_periodic", PERIOD, move |()| run()).layer(note("e"));
        let run = blocking("b_cron");
        agent.blocking_cron("b_cron", "* * * * *", "UTC", move |()| run()).layer(note("e"));
    }
}

impl Kinds {
    fn ran(&self, handler: &str) {
        self.0.add(format!("{handler} runs"));
    }
}

/// A consumer on the pool: an agent has one consumer of a queue.
struct Blocks;

impl Agent for Blocks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent.layer(note("c")).layer(note("d"));
        agent
            .blocking_consumer::<Job, Job, _, _, _>("b_consumer", move |_, ()| log.add("b_consumer runs"))
            .layer(note("e"));
    }
}

async fn layers_stand_in_their_order_around_every_kind_of_handler(stage: &Stage) {
    const KINDS: [&str; 15] = [
        "receiver",
        "writer",
        "several",
        "consumer",
        "periodic",
        "cron",
        "pre_start",
        "post_start",
        "pre_stop",
        "server",
        "b_receiver",
        "b_several",
        "b_periodic",
        "b_cron",
        "b_consumer",
    ];
    let log = fresh();
    stage.real_time();
    let at = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 59).unwrap();
    let of_group = || stage.group().clock(Clock::counted(at)).layer(note("a")).layer(note("b"));
    let group = of_group().agent(|| Kinds(seen())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    let left = |kind: &str| log.count(&format!("{kind} /a"));
    until(SOON, "all but the last", async || KINDS.iter().filter(|kind| left(kind) > 0).count() == 13).await;
    group.stop().await;
    let group = of_group().agent(|| Blocks).start().await.unwrap();
    group.broker().send::<Job>(&Job { n: 2 }).await.unwrap();
    until(SOON, "the blocking consumer", async || left("b_consumer") > 0).await;
    group.stop().await;
    for kind in KINDS {
        let of_kind =
            |line: &String| line.split_once(' ').filter(|(of, _)| *of == kind).map(|(_, what)| what.to_owned());
        let run: Vec<_> = log.lines().iter().filter_map(of_kind).take(11).collect();
        assert_eq!(run, ["a", "b", "c", "d", "e", "runs", "/e", "/d", "/c", "/b", "/a"], "{kind}");
    }
}

struct Changed(Log);

impl Agent for Changed {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("refused", async |me: &Self, _: Ask, ()| {
                me.0.add("refused ran");
                Ok::<_, HandlerError>(1_u64)
            })
            .layer(layer(async |_, _| Err(HandlerError::from("not on Sundays"))));
        agent.receiver("changed", async |_: &Self, _: Tell, ()| Err::<(), _>(HandlerError::from("raw"))).layer(layer(
            async |_, next| next.run().await.map_err(|error| HandlerError::from(format!("what was {error}"))),
        ));
        agent
            .receiver("left_out", async |me: &Self, _: Ping, ()| me.0.add("left_out ran"))
            .layer(layer(async |_, _| Ok(())));
        agent
            .consumer::<Job, _, _, _, _>("forgiven", async |me: &Self, _: Job, ()| {
                me.0.add("forgiven ran");
                Err::<(), _>("no")
            })
            .layer(layer(async |_, next| next.run().await.or(Ok(()))));
    }
}

async fn a_layer_may_refuse_or_change_what_comes_out(stage: &Stage) {
    let log = fresh();
    let group = stage.group().agent(|| Changed(seen())).start().await.unwrap();
    let told = |error: Error| match error {
        Error::Call(CallError::Remote { handler, message, .. }) => format!("{handler}: {message}"),
        other => format!("no remote error: {other}"),
    };
    let refused = group.bus().call("test", &Ask { n: 1 }).await.unwrap_err();
    assert_eq!(told(refused), "Changed.refused: not on Sundays");
    let changed = group.bus().call("test", &Tell { n: 1 }).await.unwrap_err();
    assert_eq!(told(changed), "Changed.changed: what was raw");
    // A handler that was left out has nothing to answer.
    let left_out = group.bus().call("test", &Ping { n: 1 }).await;
    assert!(matches!(left_out, Err(Error::Call(CallError::Empty { .. }))), "{left_out:?}");
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    until(SOON, "the acknowledgement", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(log.lines(), ["forgiven ran"]);
    assert_eq!((group.events().count(EventKind::Failed), group.events().count(EventKind::Retried)), (2, 0));
    group.stop().await;
}

struct Panics(Log);

impl Agent for Panics {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |me: &Self, ping: Ping, ()| me.0.add(format!("ran {}", ping.n))).layer(layer(
            async |run, next| {
                let first = seen().lines().is_empty();
                seen().add(format!("layer of {}", run.handler()));
                assert!(!first, "a layer's own");
                next.run().await
            },
        ));
    }
}

async fn a_layer_that_panics_is_a_crash_of_the_agent(stage: &Stage) {
    let log = fresh();
    let group = stage.group().agent(|| Panics(seen())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "a fresh instance", async || group.events().count(EventKind::Restarted) == 1).await;
    group.bus().publish("test", &Ping { n: 2 }).await.unwrap();
    until(SOON, "the next one", async || log.count("ran 2") == 1).await;
    assert_eq!(log.count("ran 1"), 0);
    assert_eq!(group.events().count(EventKind::Crashed), 1);
    group.stop().await;
}

/// A layer of one's own, which does something before it gives a future.
struct Hasty;

impl Layer for Hasty {
    fn around<'a>(&'a self, run: &'a Invocation, next: Next<'a>) -> LayerFuture<'a> {
        assert!(run.attempt() != Some(1), "hasty");
        Box::pin(next.run())
    }
}

struct Hurries(Log);

impl Agent for Hurries {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, _: Job, ()| me.0.add("ran")).layer(Hasty);
    }
}

async fn a_layer_that_panics_before_it_waits_counts_an_attempt(stage: &Stage) {
    let log = fresh();
    let group = stage.group().agent(|| Hurries(seen())).start().await.unwrap();
    let mut events = group.events().listen();
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    until(SOON, "the second attempt", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!((group.events().count(EventKind::Crashed), group.events().count(EventKind::Retried)), (1, 1));
    assert_eq!(log.lines(), ["ran"]);
    let crash = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        formicary_actors::events::Event::Crashed { handler, message, .. } => Some(format!("{handler}: {message}")),
        _ => None,
    });
    assert_eq!(crash.as_deref(), Some("work: hasty"));
    group.stop().await;
}

struct Waits(Log);

impl Agent for Waits {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("hear", async |me: &Self, _: Ask, ()| {
                me.0.add("ran");
                Ok::<_, HandlerError>(1_u64)
            })
            .layer(layer(async |_, _| std::future::pending().await))
            .timeout(Duration::from_millis(100));
    }
}

async fn a_layer_that_hangs_is_cut_off_by_the_timeout(stage: &Stage) {
    let log = fresh();
    let group = stage.group().agent(|| Waits(seen())).start().await.unwrap();
    let error = group.bus().call("test", &Ask { n: 1 }).await.unwrap_err().to_string();
    assert!(error.contains("no end within 100ms"), "{error}");
    assert_eq!(log.lines().len(), 0);
    assert_eq!((group.events().count(EventKind::Failed), group.events().count(EventKind::Crashed)), (1, 0));
    group.stop().await;
}

struct Looks;

impl Agent for Looks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.layer(layer(async |run, next| {
            let left = run.time_left().is_some_and(|left| left <= Duration::from_secs(60));
            let (kind, place, sender) = (run.kind().word(), run.place(), run.sender());
            let (id, attempt) = (run.id().is_some(), run.attempt());
            seen().add(format!(
                "{} {} {kind} {place:?} {sender:?} {id} {attempt:?} {left}",
                run.cx().agent(),
                run.handler()
            ));
            next.run().await
        }));
        agent.receiver("hear", async |_: &Self, _: Ping, ()| {});
        agent.receiver("answer", async |_: &Self, _: Ask, ()| Ok::<_, HandlerError>(1_u64));
        agent.consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| {
            if seen().count("failed") > 0 {
                return Ok(());
            }
            seen().add("failed");
            Err("once")
        });
        agent
            .periodic("tick", Duration::from_secs(3_600), async |_: &Self, ()| {})
            .start_after(Duration::from_secs(3_600));
        agent.pre_stop("down", async |_: &mut Self, ()| {});
    }
}

async fn a_layer_sees_what_is_handled(stage: &Stage) {
    let log = fresh();
    let group = stage.group().agent(|| Looks).start().await.unwrap();
    group.bus().call("asker", &Ask { n: 1 }).await.unwrap();
    group.bus().publish("teller", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the signal", async || log.lines().len() == 2).await;
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    until(SOON, "both attempts", async || group.events().count(EventKind::Consumed) == 1).await;
    group.stop().await;
    assert_eq!(
        log.lines(),
        [
            "looks answer receiver Some(\"ask\") Some(\"asker\") true None true",
            // Of the call before it nothing is left in the lane.
            "looks hear receiver Some(\"ping\") Some(\"teller\") false None true",
            "looks work consumer Some(\"jobs\") None true Some(1) true",
            "failed",
            "looks work consumer Some(\"jobs\") None true Some(2) true",
            "looks down hook None None false None true",
        ]
    );
}
