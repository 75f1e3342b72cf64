//! Changes of receivers while the bus is away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::agent::Handle;
use formicary_actors::group::{AgentOptions, Group};
use formicary_actors::{Error, Limits};
use formicary_test_support::on_redis;
use formicary_test_support::redis::Server;

use super::common::*;
use super::receivers::{Open, publish, receivers};

on_redis! {
    a_change_waits_for_a_bus_that_is_away,
    a_change_that_the_bus_fails_leaves_all_as_it_was,
    a_stop_ends_a_change_that_waits_for_the_bus,
}

async fn open(limits: Limits) -> (Stage, Group, Handle<Open>, Log) {
    let stage = Stage::Redis(Server::start().await);
    let (log, handle) = (Log::default(), Arc::<Mutex<_>>::default());
    let (seen, given) = (log.clone(), handle.clone());
    let factory = move || Open { log: seen.clone(), handle: given.clone() };
    let group = stage.group().limits(limits).agent_with(AgentOptions::new(), factory).start().await.unwrap();
    let handle: Handle<Open> = handle.lock().unwrap().clone().unwrap();
    hears_ping(&handle, "first").await.unwrap();
    (stage, group, handle, log)
}

async fn hears_ping(me: &Handle<Open>, word: &'static str) -> Result<(), Error> {
    me.receive(move |agent| {
        agent.receiver("extra", async move |me: &Open, ping: Ping, ()| me.log.add(format!("{word} {}", ping.n)));
    })
    .await
}

fn server(stage: &mut Stage) -> &mut Server {
    match stage {
        Stage::Redis(server) => server,
        _ => panic!("on Redis"),
    }
}

async fn until_heard(group: &Group) {
    until(SOON, "a subscription", async || {
        group.bus().publish("test", &Ping { n: 1 }).await.is_ok_and(|heard| heard == Some(1))
    })
    .await;
}

async fn a_change_waits_for_a_bus_that_is_away() {
    let (mut stage, group, me, log) = open(Limits::default()).await;
    server(&mut stage).kill().await;
    assert!(me.unsubscribe("extra").await, "there is nothing to wait for");
    let change = hears_ping(&me, "second");
    let (changed, ()) = tokio::join!(change, server(&mut stage).restart());
    changed.unwrap();
    publish(&group, 1..2).await;
    until(SOON, "the signal", async || log.lines() == ["second 1"]).await;
    // It is the server's for good: the end of the one before has not overtaken it.
    until_heard(&group).await;
    group.stop().await;
}

async fn a_change_that_the_bus_fails_leaves_all_as_it_was() {
    let mut limits = Limits::default();
    limits.send_deadline = Duration::from_millis(300);
    let (mut stage, group, me, log) = open(limits).await;
    server(&mut stage).kill().await;
    let change = me.receive(|agent| {
        agent.receiver("extra", async |_: &Open, _: Pong, ()| {});
        agent.receiver("more", async |_: &Open, _: Ping, ()| {});
    });
    let failed = change.await.unwrap_err();
    assert!(matches!(failed, Error::Unreachable { .. }), "{failed}");
    assert_eq!(receivers(&group).await, ["ask ask", "tell tell", "extra ping"]);
    server(&mut stage).restart().await;
    until_heard(&group).await;
    until(SOON, "the handler of before", async || log.count("first 1") > 0).await;
    assert_eq!(group.bus().publish("test", &Pong { n: 1 }).await.unwrap(), Some(0));
    hears_ping(&me, "second").await.unwrap();
    publish(&group, 2..3).await;
    until(SOON, "the next change", async || log.count("second 2") == 1).await;
    group.stop().await;
}

async fn a_stop_ends_a_change_that_waits_for_the_bus() {
    let (mut stage, group, me, _) = open(Limits::default()).await;
    server(&mut stage).kill().await;
    let change = me.receive(|agent| _ = agent.receiver("more", async |_: &Open, _: Pong, ()| {}));
    let (changed, _) = tokio::join!(change, group.stop());
    assert!(matches!(changed, Err(Error::Closed("the agent"))), "{changed:?}");
}
