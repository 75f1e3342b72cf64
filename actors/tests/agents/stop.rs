use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Cx, Handle, Publish, Push};
use formicary_actors::events::EventKind;
use formicary_actors::group::{AgentOptions, Group};
use formicary_actors::{CallError, Error, HandlerError};
use tokio::time::Instant;

use super::common::*;

on_each! {
    hooks_run_in_order_and_pre_stop_may_still_send,
    agents_stop_in_reverse_order_of_their_start,
    a_running_handler_finishes_and_what_waits_in_an_inbox_is_handled,
    a_handler_that_hangs_is_cut_off_at_the_deadline,
    a_server_that_listens_may_end_by_itself,
    the_start_returns_when_subscriptions_are_live,
    agents_that_do_not_fit_are_refused_with_every_problem,
    a_closed_group_answers_with_errors,
    agents_live_on_several_arbiters,
}

struct Hooks(Log);

impl Agent for Hooks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("one", async |me: &mut Self, ()| me.0.add("pre_start one"));
        agent.pre_start("two", async |me: &mut Self, ()| me.0.add("pre_start two"));
        agent.post_start("three", async |me: Handle<Self>, ()| me.with(|me| me.0.add("post_start")).await);
        agent.server("four", async |me: Handle<Self>, ()| -> Result<(), formicary_actors::agent::Gone> {
            me.with(|me| me.0.add("server")).await?;
            std::future::pending().await
        });
        agent.pre_stop("five", async |me: &mut Self, (pong, jobs): (Publish<Pong>, Push<Job>)| {
            me.0.add("pre_stop");
            pong.send(&Pong { n: 1 }).await?;
            jobs.send(&Job { n: 1 }).await?;
            me.0.add("sent");
            Ok::<_, Error>(())
        });
    }
}

async fn hooks_run_in_order_and_pre_stop_may_still_send(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Hooks(seen.clone())).start().await.unwrap();
    until(SOON, "the server", async || log.count("server") == 1).await;
    let stopped = group.stop_agents().await;
    assert_eq!(log.lines(), ["pre_start one", "pre_start two", "post_start", "server", "pre_stop", "sent"]);
    assert_eq!(stopped.broker().inspect("jobs").await.unwrap().waiting, 1);
    assert_eq!(stopped.close().await.code(), 0);
}

struct Named(Log);

impl Agent for Named {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("up", async |me: &mut Self, cx: Cx| me.0.add(format!("{} up", cx.agent())));
        agent.pre_stop("down", async |me: &mut Self, cx: Cx| me.0.add(format!("{} down", cx.agent())));
    }
}

async fn agents_stop_in_reverse_order_of_their_start(stage: &Stage) {
    let log = Log::default();
    let mut group = stage.group();
    for name in ["a", "b", "c"] {
        let seen = log.clone();
        group = group.agent_with(AgentOptions::new().name(name), move || Named(seen.clone()));
    }
    group.start().await.unwrap().stop().await;
    assert_eq!(log.lines(), ["a up", "b up", "c up", "c down", "b down", "a down"]);
}

struct Slow(Log);

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("slow", async |me: &mut Self, ping: Ping, ()| {
            me.0.add(format!("{} begun", ping.n));
            tokio::time::sleep(Duration::from_millis(50)).await;
            me.0.add(format!("{} done", ping.n));
        });
    }
}

async fn a_running_handler_finishes_and_what_waits_in_an_inbox_is_handled(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Slow(seen.clone())).start().await.unwrap();
    for n in 0..5 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "all in the inbox", async || group.events().count(EventKind::SignalReceived) == 5).await;
    let events = group.events().clone();
    group.stop().await;
    assert_eq!(log.count("4 done"), 1, "{:?}", log.lines());
    assert_eq!(events.count(EventKind::Dropped), 0);
}

struct Hangs(Log);

impl Agent for Hangs {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hang", async |me: &Self, _: Ping, ()| {
            me.0.add("begun");
            std::future::pending::<()>().await;
        });
        agent.receiver("answer", async |me: &Self, _: Ask, ()| {
            me.0.add("asked");
            std::future::pending::<Result<u64, HandlerError>>().await
        });
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, _: Job, ()| {
            me.0.add("working");
            std::future::pending::<()>().await;
        });
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("pre_stop"));
    }
}

async fn a_handler_that_hangs_is_cut_off_at_the_deadline(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Hangs(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 0 }).await.unwrap();
    group.broker().send::<Job>(&Job { n: 7 }).await.unwrap();
    let bus = group.bus().clone();
    let call = actix_rt::spawn(async move { bus.call("test", &Ask { n: 0 }).await });
    until(SOON, "all three", async || log.lines().len() == 3).await;
    let begun = Instant::now();
    let stopped = group.stop_agents_within(Duration::from_secs(2)).await;
    assert!(begun.elapsed() <= Duration::from_millis(2_600), "{:?}", begun.elapsed());
    assert_eq!(log.count("pre_stop"), 1, "`pre_stop` has its time kept for it");
    match call.await.unwrap().unwrap_err() {
        Error::Call(CallError::Remote { kind, .. }) => assert_eq!(kind, "stopped"),
        other => panic!("{other}"),
    }
    let counts = stopped.broker().inspect("jobs").await.unwrap();
    assert_eq!((counts.waiting, counts.dead, counts.delayed), (1, 0, 0), "the message goes back, uncounted");
    stopped.close().await;
}

struct Listens(Log);

impl Agent for Listens {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.server("listens", async |me: Handle<Self>, cx: Cx| {
            cx.stopping().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            me.with(|me| me.0.add("closed its socket")).await
        });
    }
}

async fn a_server_that_listens_may_end_by_itself(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Listens(seen.clone())).start().await.unwrap();
    group.stop().await;
    assert_eq!(log.lines(), ["closed its socket"]);
}

async fn the_start_returns_when_subscriptions_are_live(stage: &Stage) {
    for round in 1..=20 {
        let log = Log::default();
        let seen = log.clone();
        let group = stage.group().agent(move || Slow(seen.clone())).start().await.unwrap();
        assert_eq!(group.bus().publish("test", &Ping { n: 0 }).await.unwrap(), stage.receivers(1), "round {round}");
        // RabbitMQ answers the publisher before the signal has come back.
        until(SOON, "the signal", async || log.count("0 begun") == 1).await;
        group.stop().await;
        assert_eq!(log.lines(), ["0 begun", "0 done"], "round {round}");
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct WrongPing {
    n: String,
    extra: u64,
}

impl formicary_protocol::Signal for WrongPing {
    const NAME: &'static str = "ask";
    type Answer = u64;

    fn fields() -> Vec<formicary_protocol::Field> {
        vec![formicary_protocol::Field::of::<String>("n"), formicary_protocol::Field::of::<u64>("extra")]
    }
}

struct Misfit;

impl Agent for Misfit {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("wrong", async |_: &Self, _: WrongPing, ()| Ok::<_, HandlerError>("text".to_owned()));
        agent.consumer::<Job, _, _, _, _>("a", async |_: &Self, _: Job, ()| {});
        agent.consumer::<Job, _, _, _, _>("b", async |_: &Self, _: Job, _: formicary_actors::agent::SentBy| {});
    }
}

async fn agents_that_do_not_fit_are_refused_with_every_problem(stage: &Stage) {
    let error = stage.group().agent(|| Misfit).start().await.unwrap_err();
    let Error::Misfit { problems, .. } = &error else { panic!("{error}") };
    let text = error.to_string();
    for expected in [
        "field n is a String, the declaration says u64",
        "field extra is not declared",
        "`a` and `b`",
        "SentBy",
        "the answer is a String",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in {text}");
    }
    assert_eq!(problems.len(), 4, "{problems:?}");
}

async fn a_closed_group_answers_with_errors(stage: &Stage) {
    let group: Group = stage.group().start().await.unwrap();
    let (bus, broker) = (group.bus().clone(), group.broker().clone());
    group.stop().await;
    assert!(bus.publish("test", &Ping { n: 1 }).await.is_err());
    assert!(bus.call("test", &Ask { n: 1 }).await.is_err());
    assert!(broker.send::<Job>(&Job { n: 1 }).await.is_err());
    assert!(broker.inspect("jobs").await.is_err());
}

struct Threads(Log);

impl Agent for Threads {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("where", async |me: &Self, _: Ping, ()| {
            me.0.add(format!("{:?}", std::thread::current().id()));
        });
    }
}

async fn agents_live_on_several_arbiters(stage: &Stage) {
    // Other arbiters have clocks of their own, which a paused one would outrun.
    if matches!(stage, Stage::Memory { .. }) {
        tokio::time::resume();
    }
    let log = Log::default();
    let seen = log.clone();
    let four = AgentOptions::new().instances(4.try_into().unwrap());
    let arbiters = 2.try_into().unwrap();
    let group = stage.group().arbiters(arbiters).agent_with(four, move || Threads(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "all four", async || log.lines().len() == 4).await;
    let mut threads = log.lines();
    threads.sort();
    threads.dedup();
    assert_eq!(threads.len(), 2);
    assert!(!threads.contains(&format!("{:?}", std::thread::current().id())));
    group.stop().await;
}
