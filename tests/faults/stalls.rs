//! Our own thread stands still.

use std::time::Duration;

use formicary::prelude::*;
use formicary::{BrokerConfig, BusConfig, EventKind, RedisConfig};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;

use crate::common::*;
use crate::ledger::Ledger;
use crate::traffic::Worker;

on_redis! {
    a_stall_of_6_s_is_no_outage,
    stalls_with_a_ping_under_way_are_no_outage,
}

/// Holds its arbiter for `n` milliseconds.
struct Stalls;

impl Agent for Stalls {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("stall", async |_: &Self, pong: Pong, ()| std::thread::sleep(Duration::from_millis(pong.n)));
    }
}

/// A handler that holds the arbiter for 6 s is not taken for a dead connection, and what was sent meanwhile arrives.
async fn a_stall_of_6_s_is_no_outage() {
    let server = Server::start().await;
    let ledger = Ledger::default();
    let book = ledger.clone();
    let group = group_at(&server.url()).agent(|| Stalls).agent(move || Worker(book.clone())).start().await.unwrap();
    group.bus().publish("test", &Pong { n: 6_000 }).await.unwrap();
    until(SOON, "the end of the stall", async || group.events().count(EventKind::Handled) == 1).await;
    ping(group.bus(), 1).await;
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    assert_eq!(group.bus().call("test", &Ask { n: 1 }).await.unwrap(), 1);
    until(SOON, "the signal and the message", async || {
        let ledger = ledger.open();
        ledger.heard.contains_key(&1) && ledger.done.contains_key(&1)
    })
    .await;
    assert_eq!(group.events().count(EventKind::Disconnected), 0);
    group.stop().await;
}

/// A stall longer than a ping may take, that begins while one is under way, is not taken for a dead connection either.
async fn stalls_with_a_ping_under_way_are_no_outage() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let heartbeat = Duration::from_millis(500);
    let redis: RedisConfig = proxy.url().parse().unwrap();
    let redis = redis.heartbeat(heartbeat);
    let group = group_at(&proxy.url())
        .bus(BusConfig::redis(redis.clone()))
        .broker(BrokerConfig::redis(redis))
        .agent(|| Stalls)
        .start()
        .await
        .unwrap();
    // So a ping of each heartbeat is under way for half of the time.
    proxy.set_to_client(Mode::Delay(Duration::from_millis(250)));
    for round in 0..6 {
        // The stalls begin at different moments between two pings.
        tokio::time::sleep(Duration::from_millis(450 + 70 * round)).await;
        std::thread::sleep(Duration::from_millis(900));
    }
    let answer = group.bus().publish("test", &Pong { n: 0 }).await;
    assert_eq!(answer.unwrap(), Some(1));
    assert_eq!(group.events().count(EventKind::Disconnected), 0);
    group.stop().await;
}
