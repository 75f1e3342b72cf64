//! Our own thread stands still.

use std::time::Duration;

use formicary::prelude::*;
use formicary::{AmqpConfig, BrokerConfig, BusConfig, EventKind, RedisConfig};
use formicary_test_support::proxy::{Mode, Proxy};

use crate::common::*;
use crate::ledger::Ledger;
use crate::server::Kind;
use crate::traffic::Worker;

on_servers! {
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
async fn a_stall_of_6_s_is_no_outage(kind: Kind) {
    let server = kind.start().await;
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
async fn stalls_with_a_ping_under_way_are_no_outage(kind: Kind) {
    let server = kind.start().await;
    let proxy = Proxy::start(server.port()).await;
    // RabbitMQ counts heartbeats in whole seconds, and gives a connection up itself after two of silence.
    let (heartbeat, stall) = match kind {
        Kind::Redis => (Duration::from_millis(500), Duration::from_millis(900)),
        Kind::RabbitMq => (Duration::from_secs(2), Duration::from_millis(1_800)),
    };
    let url = server.url_by(proxy.port());
    let (bus, broker) = match kind {
        Kind::Redis => {
            let redis = url.parse::<RedisConfig>().unwrap().heartbeat(heartbeat);
            (BusConfig::redis(redis.clone()), BrokerConfig::redis(redis))
        }
        Kind::RabbitMq => {
            let amqp = url.parse::<AmqpConfig>().unwrap().heartbeat(heartbeat);
            (BusConfig::amqp(amqp.clone()), BrokerConfig::amqp(amqp))
        }
    };
    let group = group_at(&url).bus(bus).broker(broker).agent(|| Stalls).start().await.unwrap();
    // So a ping of each heartbeat is under way for half of the time.
    proxy.set_to_client(Mode::Delay(heartbeat / 2));
    for round in 0..6 {
        // The stalls begin at different moments between two pings.
        tokio::time::sleep(heartbeat.mul_f64(0.9 + 0.14 * f64::from(round))).await;
        std::thread::sleep(stall);
    }
    let answer = group.bus().publish("test", &Pong { n: 0 }).await;
    // RabbitMQ does not count who hears it.
    assert!(matches!(answer.unwrap(), Some(1) | None));
    assert_eq!(group.events().count(EventKind::Disconnected), 0);
    group.stop().await;
}
