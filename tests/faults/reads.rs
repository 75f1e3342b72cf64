//! The blocking read with which a Redis is consumed, in a black hole.

use std::time::Duration;

use formicary::RedisConfig;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use tokio::time::{Instant, sleep_until};

use crate::common::*;
use crate::ledger::Ledger;
use crate::traffic::Worker;

on_redis! {
    a_blocking_read_in_a_black_hole_is_found_within_10_s,
}

const FOUND: Duration = Duration::from_secs(10);

/// A consumer whose blocking read was swallowed takes messages again within 10 s.
async fn a_blocking_read_in_a_black_hole_is_found_within_10_s() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let ledger = Ledger::default();
    let book = ledger.clone();
    let bus: RedisConfig = server.url().parse().unwrap();
    let group = group_at(&proxy.url()).bus(formicary::BusConfig::redis(bus));
    let group = group.agent(move || Worker(book.clone())).start().await.unwrap();
    until(SOON, "the blocking read", async || {
        let clients = server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
        clients.contains("cmd=blmove")
    })
    .await;
    let begun = Instant::now();
    proxy.set_to_client(Mode::Blackhole);
    // So long as one read blocks: its answer is lost. The broker's other connection is idle meanwhile.
    sleep_until(begun + Duration::from_millis(2_300)).await;
    proxy.set_to_client(Mode::Pass);
    server.command(&["RPUSH", "jobs", r#"{"n": 1}"#]).await.unwrap();
    let left = FOUND - begun.elapsed();
    until(left, "the message", async || ledger.open().done.contains_key(&1)).await;
    println!("consumed after {:?}", begun.elapsed());
    group.stop().await;
}
