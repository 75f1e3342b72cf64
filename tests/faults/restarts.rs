//! Redis goes away while several processes consume, and comes back with its data.

use std::time::Duration;

use formicary::EventKind;
use formicary_test_support::redis::Server;
use tokio::time::{Instant, sleep_until};

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::jobs::{drained, push};

on_redis! {
    consumers_outlive_a_redis_that_is_stopped_for_3_s,
    consumers_outlive_a_redis_that_is_stopped_for_15_s,
    consumers_outlive_a_redis_that_is_killed,
    consumers_outlive_connections_that_are_killed,
}

/// Longer than a connection takes to be back.
const LEASE: Duration = Duration::from_secs(3);

/// A Redis with `appendonly yes` is stopped for 3 s under load: nothing is lost, nothing is handled twice, and no
/// consumer takes its neighbour for dead.
async fn consumers_outlive_a_redis_that_is_stopped_for_3_s() {
    away(Duration::from_secs(3), async |server| server.stop().await).await;
}

/// So it is for 15 s, many leases long.
async fn consumers_outlive_a_redis_that_is_stopped_for_15_s() {
    away(Duration::from_secs(15), async |server| server.stop().await).await;
}

/// So it is when it is killed, since `appendfsync always` writes before it answers.
async fn consumers_outlive_a_redis_that_is_killed() {
    away(Duration::from_millis(500), async |server| server.kill().await).await;
}

async fn away(time: Duration, take: impl AsyncFnOnce(&mut Server)) {
    const ALL: u64 = 4_000;
    let (mut server, record) = (Server::options().append_only().start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(&server, &record).lease(LEASE).work(Work::Takes(Duration::from_millis(10)));
    let (one, other) = (Process::start(&setup).await, Process::start(&setup).await);
    push(&server, 0..ALL).await;
    record.until(ALL as usize / 4, LONG).await;
    let begun = Instant::now();
    take(&mut server).await;
    // The outage itself.
    sleep_until(begun + time).await;
    server.restart().await;
    let back = Instant::now();
    let before = record.numbers().len();
    assert!(before < ALL as usize, "all was done before the outage");
    record.until(before + 100, SOON).await;
    println!("measured: away for {time:?}, the next 100 handled {:?} after its return", back.elapsed());
    let counts = drained(looks_on.broker()).await;
    assert_eq!((counts.dead, record.numbers()), (0, (0..ALL).collect()));
    once(ALL, &record, &[one, other]).await;
    looks_on.stop().await;
}

/// So it is when nothing but their connections is killed, over and over.
async fn consumers_outlive_connections_that_are_killed() {
    const ALL: u64 = 4_000;
    let (server, record) = (Server::start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(&server, &record).lease(LEASE).work(Work::Takes(Duration::from_millis(10)));
    let (one, other) = (Process::start(&setup).await, Process::start(&setup).await);
    push(&server, 0..ALL).await;
    for kill in 1..=10 {
        record.until(kill * ALL as usize / 20, LONG).await;
        // Two each, and one of the group that looks on.
        until(SOON, "all connections", async || connections(&server).await == 5).await;
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    }
    let counts = drained(looks_on.broker()).await;
    assert_eq!((counts.dead, record.numbers()), (0, (0..ALL).collect()));
    once(ALL, &record, &[one, other]).await;
    looks_on.stop().await;
}

/// How many connections there are on which consumers settle, and wait for messages.
async fn connections(server: &Server) -> usize {
    let clients = server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
    clients.matches(" name=formicary:broker ").count()
        + clients.matches(" name=formicary:broker-consumer-jobs ").count()
}

/// Each message was handled once, and nobody was taken for dead.
async fn once(all: u64, record: &Record, processes: &[Process]) {
    let mut counters = Vec::new();
    for process in processes {
        counters.push(process.stop().await);
    }
    let of = |kind| counters.iter().map(|counters| counters.of(kind)).sum::<u64>();
    for kind in [EventKind::Reclaimed, EventKind::LateSettlement, EventKind::LostSettlement, EventKind::Crashed] {
        assert_eq!(of(kind), 0, "{kind:?}");
    }
    assert_eq!((of(EventKind::Consumed), record.duplicates()), (all, 0));
}
