//! The server goes away while several processes consume, and comes back with its data.

use std::time::Duration;

use formicary::EventKind;
use tokio::time::{Instant, sleep_until};

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::server::{Kind, Server};

on_servers! {
    consumers_outlive_a_server_that_is_stopped_for_3_s,
    consumers_outlive_a_server_that_is_stopped_for_15_s,
    consumers_outlive_a_server_that_is_killed,
    consumers_outlive_connections_that_are_killed,
}

/// Longer than a connection takes to be back.
const LEASE: Duration = Duration::from_secs(3);
const ALL: u64 = 4_000;

/// A server whose data survives is stopped for 3 s under load: nothing is lost or dead. On Redis nothing is handled twice,
/// and no consumer takes its neighbour for dead; on RabbitMQ what was in hand comes again, and no more.
async fn consumers_outlive_a_server_that_is_stopped_for_3_s(kind: Kind) {
    away(kind, Duration::from_secs(3), Acks::Kept, async |server| server.stop().await).await;
}

/// So it is for 15 s, many leases long.
async fn consumers_outlive_a_server_that_is_stopped_for_15_s(kind: Kind) {
    away(kind, Duration::from_secs(15), Acks::Kept, async |server| server.stop().await).await;
}

/// So it is when it is killed: Redis with `appendfsync always` writes before it answers, and RabbitMQ before it confirms. But
/// RabbitMQ answers no acknowledgement, and writes them when it comes to it: those of the last moments are forgotten.
async fn consumers_outlive_a_server_that_is_killed(kind: Kind) {
    let acks = if kind == Kind::RabbitMq { Acks::Forgotten } else { Acks::Kept };
    away(kind, Duration::from_millis(500), acks, async |server| server.kill().await).await;
}

/// What becomes of the last acknowledgements when the server goes.
#[derive(PartialEq)]
enum Acks {
    Kept,
    Forgotten,
}

async fn away(kind: Kind, time: Duration, acks: Acks, take: impl AsyncFnOnce(&mut Server)) {
    let (mut server, record) = (kind.start_alone().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).lease(LEASE).work(Work::Takes(Duration::from_millis(10)));
    let processes = [Process::start(&setup).await, Process::start(&setup).await];
    server.push(0..ALL).await;
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
    let counts = server.drained(looks_on.broker()).await;
    assert_eq!((counts.dead, record.numbers()), (0, (0..ALL).collect()));
    let forgotten = if acks == Acks::Forgotten { before } else { 0 };
    as_promised(in_hand(kind, &setup) + forgotten, &record, &processes).await;
    looks_on.stop().await;
}

/// So it is when nothing but their connections is killed, over and over.
async fn consumers_outlive_connections_that_are_killed(kind: Kind) {
    const KILLS: usize = 10;
    let (server, record) = (kind.start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).lease(LEASE).work(Work::Takes(Duration::from_millis(10)));
    let processes = [Process::start(&setup).await, Process::start(&setup).await];
    server.push(0..ALL).await;
    for kill in 1..=KILLS {
        record.until(kill * ALL as usize / 20, LONG).await;
        // Two of each broker, and one of the bus of the group that looks on.
        until(SOON, "all connections", async || match connections(&server).await {
            all if all == if kind == Kind::Redis { 5 } else { 7 } => Ok(()),
            other => Err(other),
        })
        .await;
        match &server {
            // So the bus of the group that looks on is left alone.
            Server::Redis(redis) => drop(redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap()),
            _ => server.kill_connections().await,
        }
    }
    let counts = server.drained(looks_on.broker()).await;
    assert_eq!((counts.dead, record.numbers()), (0, (0..ALL).collect()));
    as_promised(KILLS * in_hand(kind, &setup), &record, &processes).await;
    looks_on.stop().await;
}

/// How many connections there are; on Redis those on which consumers settle, and wait for messages.
async fn connections(server: &Server) -> usize {
    let Server::Redis(redis) = server else { return server.place().await.connections().await };
    let clients = redis.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
    clients.matches(" name=formicary:broker ").count()
        + clients.matches(" name=formicary:broker-consumer-jobs ").count()
}

/// How many messages an outage may bring a second time: on Redis none, on RabbitMQ those that both processes have in hand.
fn in_hand(kind: Kind, setup: &Setup) -> usize {
    match kind {
        Kind::Redis => 0,
        Kind::RabbitMq => 2 * setup.concurrency.get(),
    }
}

/// Nobody was taken for dead or crashed, no more than `most` were handled again, and each handling was settled in time or
/// counted as late.
async fn as_promised(most: usize, record: &Record, processes: &[Process; 2]) {
    let counters = [processes[0].stop().await, processes[1].stop().await];
    let of = |kind| counters.iter().map(|counters| counters.of(kind)).sum::<u64>();
    for kind in [EventKind::Reclaimed, EventKind::LostSettlement, EventKind::Crashed] {
        assert_eq!(of(kind), 0, "{kind:?}");
    }
    let (late, duplicates) = (of(EventKind::LateSettlement), record.duplicates());
    println!("measured: {duplicates} handled again, {late} settled late");
    assert!(duplicates <= most && late <= most as u64, "{duplicates} again and {late} late, of {most} at most");
    assert_eq!(of(EventKind::Consumed) + late, ALL + duplicates as u64);
}
