use std::num::NonZeroUsize;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, AnySignal, Publish, SentBy};
use formicary_actors::events::EventKind;
use formicary_actors::group::AgentOptions;

use super::common::*;

on_each! {
    a_signal_reaches_its_handlers_and_its_own_sender,
    every_handler_of_a_signal_hears_it_and_one_that_fails_disturbs_none,
    one_handler_takes_several_signals,
    signals_of_one_sender_keep_their_order,
    bad_input_ends_no_subscription,
    a_full_inbox_refuses_the_newest,
    a_handler_has_a_timeout,
}

struct Echo(Log);

impl Agent for Echo {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("echo", async |me: &Self, ping: Ping, (from, pong): (SentBy, Publish<Pong>)| {
            me.0.add(format!("ping {} from {from}", ping.n));
            pong.send(&Pong { n: ping.n + 1 }).await
        });
        agent.receiver_mut("hear", async |me: &mut Self, pong: Pong, from: SentBy| {
            me.0.add(format!("pong {} from {from}", pong.n));
        });
    }
}

async fn a_signal_reaches_its_handlers_and_its_own_sender(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Echo(seen.clone())).start().await.unwrap();
    let receivers = group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    assert_eq!(receivers, stage.receivers(1));
    until(SOON, "the pong", async || log.lines().len() == 2).await;
    assert_eq!(log.lines(), ["ping 1 from test", "pong 2 from echo"]);
    group.stop().await;
}

struct Three(Log);

impl Agent for Three {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("first", async |me: &Self, _: Ping, ()| me.0.add("first"));
        agent.receiver("fails", async |_: &Self, _: Ping, ()| -> Result<(), &str> { Err("no") });
        agent.receiver("third", async |me: &Self, _: Ping, ()| me.0.add("third"));
    }
}

async fn every_handler_of_a_signal_hears_it_and_one_that_fails_disturbs_none(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Three(seen.clone())).start().await.unwrap();
    for n in 0..3 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "all handlings", async || log.lines().len() == 6).await;
    assert_eq!((log.count("first"), log.count("third")), (3, 3));
    until(SOON, "the failures", async || group.events().count(EventKind::Failed) == 3).await;
    assert_eq!(group.events().count(EventKind::SignalReceived), 3, "once for each agent, not for each handler");
    group.stop().await;
}

struct Several(Log);

impl Agent for Several {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_of(&["ping", "pong"], "either", async |me: &Self, value: AnySignal, ()| {
            me.0.add(format!("{} {}", value.signal, value.arguments["n"]));
        });
    }
}

async fn one_handler_takes_several_signals(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Several(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    group.bus().publish("test", &Pong { n: 2 }).await.unwrap();
    until(SOON, "both", async || log.lines().len() == 2).await;
    assert_eq!(log.lines(), ["ping 1", "pong 2"]);
    group.stop().await;
}

struct Order(Log);

impl Agent for Order {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("note", async |me: &mut Self, ping: Ping, ()| me.0.add(ping.n.to_string()));
    }
}

async fn signals_of_one_sender_keep_their_order(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Order(seen.clone())).start().await.unwrap();
    let sends = (0..500).map(|n| {
        let bus = group.bus().clone();
        async move { bus.publish("test", &Ping { n }).await }
    });
    let sent = futures_util::future::join_all(sends).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    until(SOON, "all signals", async || log.lines().len() == 500).await;
    let expected: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    assert_eq!(log.lines(), expected);
    group.stop().await;
}

async fn bad_input_ends_no_subscription(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Order(seen.clone())).start().await.unwrap();
    let deep = [b"{\"n\":".to_vec(), vec![b'['; 100_000]].concat();
    let huge = vec![b' '; (1 << 20) + 1];
    let bad: [&[u8]; 8] =
        [b"", b"no json", b"[1]", b"{\"n\": \"one\"}", b"{\"n\": true}", b"{\"n\": 1}\xff", &deep, &huge];
    for body in bad {
        stage.publish_raw(b"PUBSUB:ping:test", body).await;
    }
    stage.publish_raw(b"PUBSUB:ping:", b"{\"n\": 1}").await;
    stage.publish_raw(b"PUBSUB:ping:a:b", b"{\"n\": 7}").await;
    stage.publish_raw(b"PUBSUB:ping:a", b"{\"n\": NaN}").await;
    stage.publish_raw(b"PUBSUB:ping:good", b"{\"n\": 8}").await;
    until(SOON, "the good signals", async || log.lines().len() == 2).await;
    assert_eq!(log.lines(), ["7", "8"]);
    assert_eq!(group.events().count(EventKind::BadInput), 10, "each bad input is counted once");
    group.stop().await;
}

struct Slow(Log);

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("wait", async |me: &Self, ping: Ping, ()| {
                me.0.add(ping.n.to_string());
                std::future::pending::<()>().await;
            })
            .concurrency(NonZeroUsize::MIN)
            .inbox(NonZeroUsize::new(10).unwrap())
            .timeout(Duration::from_secs(3600));
    }
}

async fn a_full_inbox_refuses_the_newest(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let options = AgentOptions::new().name("slow");
    let group = stage.group().agent_with(options, move || Slow(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 0 }).await.unwrap();
    until(SOON, "the first handling", async || log.lines().len() == 1).await;
    for n in 1..=100 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "the drops", async || group.events().count(EventKind::Dropped) == 90).await;
    assert_eq!(group.events().count(EventKind::SignalReceived), 11);
    group.stop_within(Duration::from_millis(200)).await;
    assert_eq!(log.lines(), ["0"]);
}

struct Hangs(Log);

impl Agent for Hangs {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("hang", async |me: &Self, _: Ping, ()| {
                me.0.add("begun");
                std::future::pending::<()>().await;
            })
            .timeout(Duration::from_millis(50));
    }
}

async fn a_handler_has_a_timeout(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Hangs(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 0 }).await.unwrap();
    until(SOON, "the timeout", async || group.events().count(EventKind::Failed) == 1).await;
    assert_eq!(log.lines(), ["begun"]);
    assert_eq!(group.events().count(EventKind::Crashed), 0);
    group.stop().await;
}
