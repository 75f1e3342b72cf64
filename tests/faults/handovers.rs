//! A process that is stopped while another goes on.

use std::time::{Duration, Instant};

use formicary::EventKind;

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::server::Kind;

on_servers! {
    a_process_that_is_stopped_under_load_leaves_the_rest_to_its_neighbour,
}

/// SIGTERM under load: the process ends well within its deadline, and what it had is handled once, by itself or by its
/// neighbour.
async fn a_process_that_is_stopped_under_load_leaves_the_rest_to_its_neighbour(kind: Kind) {
    const ALL: u64 = 3_000;
    let (server, record) = (kind.start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).work(Work::Takes(Duration::from_millis(5)));
    let (stopped, neighbour) = (Process::start(&setup).await, Process::start(&setup).await);
    server.push(0..ALL).await;
    record.until(500, SOON).await;
    let begun = Instant::now();
    let first = stopped.stop().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let counts = server.drained(looks_on.broker()).await;
    let second = neighbour.stop().await;
    assert_eq!((counts.dead, record.numbers(), record.duplicates()), (0, (0..ALL).collect(), 0));
    let of = |kind| first.of(kind) + second.of(kind);
    assert_eq!((of(EventKind::Consumed), of(EventKind::Reclaimed), of(EventKind::Retried)), (ALL, 0, 0));
    assert!(first.of(EventKind::Consumed) < ALL && second.of(EventKind::Consumed) < ALL, "one did it all");
    println!("measured: stopped within {took:?}, {} given back", first.of(EventKind::Returned));
    looks_on.stop().await;
}
