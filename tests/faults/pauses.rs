//! Consumers that are away longer than their lease, or their heartbeat, and come back.

use std::time::Duration;

use formicary::EventKind;
use formicary_test_support::proxy::{Mode, Proxy};

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::server::{Kind, Server};

on_servers! {
    what_a_frozen_consumer_finishes_late_is_told_apart,
    what_a_consumer_that_was_cut_off_finishes_late_is_told_apart,
}

const LEASE: Duration = Duration::from_secs(1);
/// Both have so many in hand.
const IN_HAND: u64 = 16;

/// A consumer that stood still (SIGSTOP) beyond its lease (on RabbitMQ its heartbeat): its messages are another's, what it finishes late is counted
/// as late and acknowledges nothing, and it goes on with what comes then.
async fn what_a_frozen_consumer_finishes_late_is_told_apart(kind: Kind) {
    let (server, record) = (kind.start().await, Record::new());
    late(kind, &server, &record, &server.url(), async |process| process.freeze(), async |process| process.thaw()).await;
}

/// So it is with a consumer that the network cut off.
async fn what_a_consumer_that_was_cut_off_finishes_late_is_told_apart(kind: Kind) {
    let (server, record) = (kind.start().await, Record::new());
    let proxy = Proxy::start(server.port()).await;
    let back = async |_: &Process| {
        proxy.set(Mode::Pass);
        proxy.drop_all().await;
    };
    late(kind, &server, &record, &server.url_by(proxy.port()), async |_| proxy.set(Mode::Blackhole), back).await;
}

async fn late(
    kind: Kind,
    server: &Server,
    record: &Record,
    url: &str,
    away: impl AsyncFnOnce(&Process),
    back: impl AsyncFnOnce(&Process),
) {
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), record).lease(LEASE);
    // Redis refuses what is acknowledged late. What is written to a RabbitMQ that has given up the connection is answered by
    // nobody: only what is settled after its loss was noticed is known to be late.
    let (takes, reclaimed, attempt) = match kind {
        Kind::Redis => (LEASE, IN_HAND, 2),
        Kind::RabbitMq => (6 * LEASE, 0, 1),
    };
    let slow = Process::start(&setup.clone().work(Work::Takes(takes)).at(url.to_owned())).await;
    server.push(0..IN_HAND).await;
    until(SOON, "all in hand", async || server.taken().await == IN_HAND).await;
    away(&slow).await;
    let other = Process::start(&setup).await;
    record.until_by(other.id(), IN_HAND as usize).await;
    assert_eq!(other.counters().await.of(EventKind::Reclaimed), reclaimed);
    server.drained(looks_on.broker()).await;

    back(&slow).await;
    slow.until(EventKind::LateSettlement, IN_HAND).await;
    let counters = slow.counters().await;
    assert_eq!((counters.of(EventKind::LateSettlement), counters.of(EventKind::Consumed)), (IN_HAND, 0));
    assert_eq!(
        slow.log().lines().filter(|line| line.contains("WARN") && line.contains("late")).count(),
        1,
        "{}",
        slow.log()
    );
    // Both have handled all of them, the late one at the first attempt.
    let (first, second) = (record.by(slow.id()), record.by(other.id()));
    assert_eq!((first.len() as u64, second.len() as u64), (IN_HAND, IN_HAND));
    assert!(
        first.iter().all(|handled| handled.attempt == 1) && second.iter().all(|handled| handled.attempt == attempt)
    );

    other.stop().await;
    server.push(IN_HAND..2 * IN_HAND).await;
    let counts = server.drained(looks_on.broker()).await;
    assert_eq!(record.by(slow.id()).len() as u64, 2 * IN_HAND, "it goes on");
    assert_eq!(counts.dead, 0);
    assert_eq!(slow.stop().await.of(EventKind::Consumed), IN_HAND);
    looks_on.stop().await;
}
