//! What a consumer had whose process died is another's when its lease is over.
//!
//! That is a matter of Redis. RabbitMQ tells nobody that a process has died: what it had is delivered again at once, with no
//! lease that could run out, and as if it had never been delivered. So what kills every process that takes it does so for
//! ever there (docs/rabbitmq.md).

use std::time::Duration;

use formicary::EventKind;
use formicary::contract::Letters;
use formicary::protocol::DeadReason;
use formicary_test_support::redis::Server;
use tokio::time::{Instant, sleep};

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::jobs::redis::{drained, push, taken};

on_redis! {
    what_a_dead_consumer_had_is_taken_over_within_1_5_leases,
    a_message_that_kills_its_process_is_a_dead_letter_in_the_end,
}

const LEASE: Duration = Duration::from_secs(1);

/// Of two consumers one is killed: the other has taken over within one and a half leases. From a living one it takes
/// nothing, however long a message is in hand.
async fn what_a_dead_consumer_had_is_taken_over_within_1_5_leases() {
    for lease in [LEASE, 3 * LEASE] {
        let (server, record) = (Server::start().await, Record::new());
        let setup = Setup::new(server.url(), &record).lease(lease);
        let holds = Process::start(&setup.clone().work(Work::Takes(Duration::from_secs(60)))).await;
        push(&server, 0..16).await;
        until(SOON, "all in hand", async || taken(&server).await == 16).await;
        let survivor = Process::start(&setup).await;
        // The time in which it could mistake it for dead.
        sleep(2 * lease).await;
        assert_eq!(survivor.counters().await.of(EventKind::Reclaimed), 0);
        holds.kill().await;
        let dead = Instant::now();
        record.until(16, lease.mul_f64(1.5) + SLACK).await;
        println!("measured: lease {lease:?}, taken over after {:?}", dead.elapsed());
        assert!(record.all().iter().all(|handled| handled.attempt == 2), "{:?}", record.all());
        let counters = survivor.stop().await;
        assert_eq!((counters.of(EventKind::Reclaimed), counters.of(EventKind::Consumed)), (16, 16));
    }
}

/// A message that kills every process that takes it does not do so for ever: after its attempts it is a dead letter. Those
/// that were in hand beside it are handled.
async fn a_message_that_kills_its_process_is_a_dead_letter_in_the_end() {
    const ATTEMPTS: u32 = 5;
    let (server, record) = (Server::start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).lease(LEASE / 2).attempts(ATTEMPTS).work(Work::Dies(0));
    push(&server, 0..50).await;
    for _ in 0..ATTEMPTS {
        assert_ne!(Process::start_any(&setup).await.ended().await, 0);
    }
    let survivor = Process::start(&setup).await;
    let counts = drained(looks_on.broker()).await;
    assert_eq!((counts.dead, counts.dead_by.exhausted), (1, 1));
    let letters = looks_on.broker().peek("jobs", Letters::of(DeadReason::Exhausted)).await.unwrap();
    assert_eq!(&letters[0].entry.body[..], br#"{"n": 0}"#);
    assert!(letters[0].entry.history.iter().all(|failure| failure.error.contains("died")), "{letters:?}");
    assert_eq!(record.numbers(), (1..50).collect());
    survivor.stop().await;
    looks_on.stop().await;
}
