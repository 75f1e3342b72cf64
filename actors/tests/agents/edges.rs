//! What only happens when two things happen at once.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Call, Cx, Publish};
use formicary_actors::contract::SendOptions;
use formicary_actors::events::EventKind;
use formicary_actors::group::{AgentOptions, Exit};
use formicary_actors::registry::RestartPolicy;
use formicary_actors::{Error, HandlerError};
use tokio::time::Instant;

use super::common::*;

on_each! {
    an_agent_that_stops_itself_in_its_start_subscribes_once,
    a_stop_during_a_self_made_end_keeps_its_deadline,
    a_panic_during_a_stop_is_told_and_skips_pre_stop,
    a_group_whose_first_agent_has_ended_goes_on_with_the_next,
    only_the_latest_of_the_agents_that_have_ended_are_shown,
    a_handle_that_outlives_its_handler_has_no_deadline_and_no_turn,
    absurd_times_harm_nothing,
    a_dropped_call_is_counted_as_failed,
    a_temporary_agent_that_crashes_makes_the_exit_code_1,
}

struct Restless(Log);

impl Agent for Restless {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("begin", async |me: &mut Self, cx: Cx| {
            me.0.add("begin");
            if me.0.count("begin") == 1 {
                cx.stop();
            }
        });
        agent.receiver("hear", async |me: &Self, _: Ping, ()| me.0.add("heard"));
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, _: Job, ()| me.0.add("worked"));
    }
}

async fn an_agent_that_stops_itself_in_its_start_subscribes_once(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Restless(seen.clone())).start().await.unwrap();
    until(SOON, "the second instance", async || log.count("begin") == 2).await;
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    until(SOON, "the message", async || group.events().count(EventKind::Consumed) == 1).await;
    until(SOON, "the signal", async || log.count("heard") == 1).await;
    assert_eq!(group.events().count(EventKind::SignalReceived), 1);
    group.stop().await;
    assert_eq!((log.count("heard"), log.count("worked")), (1, 1));
}

struct Lingers(Log);

impl Agent for Lingers {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("linger", async |me: &Self, _: Ping, cx: Cx| {
            me.0.add("begun");
            cx.stop();
            std::future::pending::<()>().await;
        });
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("pre_stop"));
    }
}

async fn a_stop_during_a_self_made_end_keeps_its_deadline(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Lingers(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the handler", async || log.count("begun") == 1).await;
    let begun = Instant::now();
    let events = group.events().clone();
    group.stop_within(Duration::from_secs(1)).await;
    assert!(begun.elapsed() <= Duration::from_millis(1_600), "{:?}", begun.elapsed());
    assert_eq!(log.count("pre_stop"), 1, "the agent had ended when the stop returned");
    assert_eq!(events.count(EventKind::Stopped), 1);
}

struct Late(Log);

impl Agent for Late {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("late", async |me: &Self, _: Ping, cx: Cx| {
            me.0.add("begun");
            cx.stopping().await;
            if me.0.count("begun") > 0 {
                panic!("at the very end");
            }
        });
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("pre_stop"));
    }
}

async fn a_panic_during_a_stop_is_told_and_skips_pre_stop(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Late(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the handler", async || log.count("begun") == 1).await;
    let events = group.events().clone();
    group.stop().await;
    assert_eq!(events.count(EventKind::Crashed), 1);
    assert_eq!(log.lines(), ["begun"]);
}

struct OneShot;

impl Agent for OneShot {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("done", async |_: &mut Self, cx: Cx| cx.stop());
        agent.post_start("up", async |_: formicary_actors::agent::Handle<Self>, ()| {});
    }
}

struct SlowStart;

impl Agent for SlowStart {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("slow", async |_: &mut Self, ()| tokio::time::sleep(Duration::from_millis(200)).await);
    }
}

struct Quits;

impl Agent for Quits {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("quit", async |_: &Self, _: Ping, cx: Cx| cx.stop());
    }
}

async fn a_group_whose_first_agent_has_ended_goes_on_with_the_next(stage: &Stage) {
    let once = AgentOptions::new().restart(RestartPolicy::transient());
    let group = stage.group().agent_with(once, || Quits).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, group.ended()).await.unwrap(), Exit::Clean);
    group.spawn(|| SlowStart).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_millis(50), group.ended()).await;
    assert!(ended.is_err(), "a group with a running agent has ended: {ended:?}");
    group.stop().await;
    let once = AgentOptions::new().restart(RestartPolicy::transient());
    let error = stage.group().agent_with(once, || OneShot).start().await;
    match error {
        // Both are told apart from a closed arbiter: it had started, or it ended itself before.
        Ok(group) => drop(group.stop().await),
        Err(Error::Start { message, .. }) => assert!(message.contains("its own end"), "{message}"),
        Err(other) => panic!("{other}"),
    }
}

async fn only_the_latest_of_the_agents_that_have_ended_are_shown(stage: &Stage) {
    let mut limits = formicary_actors::Limits::default();
    limits.ended_agents = 2.try_into().unwrap();
    let group = stage.group().limits(limits).agent(|| SlowStart).start().await.unwrap();
    let states = async || {
        let shown = group.info().await.agents.into_iter().map(|agent| format!("{} {}", agent.info.name, agent.state));
        shown.collect::<Vec<_>>()
    };
    for name in ["first", "second", "third"] {
        let once = AgentOptions::new().name(name).restart(RestartPolicy::transient());
        group.spawn_with(once, || Quits).await.unwrap();
        group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
        until(SOON, "the end", async || states().await.contains(&format!("{name} ended"))).await;
    }
    assert_eq!(states().await, ["slow_start running", "second ended", "third ended"]);
    group.stop().await;
}

struct Keeps {
    log: Log,
    kept: Option<(Publish<Pong>, Call<Ask>)>,
}

impl Agent for Keeps {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .pre_start("keep", async |me: &mut Self, handles: (Publish<Pong>, Call<Ask>)| me.kept = Some(handles))
            .timeout(Duration::from_millis(100));
        agent.receiver("use", async |me: &Self, _: Ping, ()| {
            let Some((pong, ask)) = &me.kept else { return Err(Error::Closed("the handles")) };
            pong.send(&Pong { n: 1 }).await?;
            me.log.add(format!("answer {}", ask.first(&Ask { n: 1 }).await?));
            Ok(())
        });
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| Ok::<_, HandlerError>(ask.n + 1));
    }
}

async fn a_handle_that_outlives_its_handler_has_no_deadline_and_no_turn(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Keeps { log: seen.clone(), kept: None }).start().await.unwrap();
    // The deadline of `pre_start` has long passed when the handles are used.
    tokio::time::sleep(Duration::from_millis(150)).await;
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the answer", async || log.lines() == ["answer 2"]).await;
    group.stop().await;
}

async fn absurd_times_harm_nothing(stage: &Stage) {
    let mut limits = formicary_actors::Limits::default();
    limits.call_deadline = Duration::MAX;
    limits.send_deadline = Duration::MAX;
    let restart = RestartPolicy::default().constant(Duration::MAX);
    let group = stage.group().limits(limits).restart(restart).start().await.unwrap();
    let mut options = SendOptions::default();
    options.delay = Some(Duration::MAX);
    // Redis keeps due times in milliseconds and may refuse this one; it must not fall over.
    drop(group.broker().send_with::<Job>(&Job { n: 1 }, options).await);
    group.broker().send::<Job>(&Job { n: 2 }).await.unwrap();
    assert_eq!(group.broker().inspect("jobs").await.unwrap().waiting, 1);
    assert!(group.bus().call("test", &Ask { n: 1 }).await.is_err());
    group.stop_within(Duration::MAX).await;
}

struct Silent;

impl Agent for Silent {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("silent", async |_: &Self, _: Ask, ()| std::future::pending::<Result<u64, HandlerError>>().await);
    }
}

async fn a_dropped_call_is_counted_as_failed(stage: &Stage) {
    let group = stage.group().agent(|| Silent).start().await.unwrap();
    let ask = Ask { n: 1 };
    let call = group.bus().call("test", &ask);
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    assert_eq!(group.events().count(EventKind::CallFailed), 1);
    group.stop_within(Duration::from_millis(100)).await;
}

struct Fragile;

impl Agent for Fragile {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("break", async |_: &Self, _: Ping, ()| -> Result<(), HandlerError> {
            panic!("once and for all")
        });
    }
}

async fn a_temporary_agent_that_crashes_makes_the_exit_code_1(stage: &Stage) {
    let once = AgentOptions::new().restart(RestartPolicy::temporary());
    let group = stage.group().agent_with(once, || Fragile).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, group.ended()).await.unwrap(), Exit::Failed);
    assert_eq!(group.stop().await.code(), 1);
}
