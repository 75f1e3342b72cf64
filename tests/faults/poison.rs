//! Messages that cannot be handled.

use std::time::Duration;

use formicary::EventKind;
use formicary::contract::Letters;
use formicary::protocol::DeadReason;
use tokio::time::Instant;

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::jobs::dead_by;
use crate::server::Kind;

on_servers! {
    poison_in_every_tenth_message_is_put_aside_by_its_reason,
    a_handler_that_always_panics_ends_in_dead_letters,
    a_handler_that_always_panics_ends_the_group_and_loses_nothing,
}

/// Every tenth message cannot be read, and every tenth fails whenever it is handled: both are dead letters, counted
/// apart by their reasons, and either kind can be read, replayed and deleted alone.
async fn poison_in_every_tenth_message_is_put_aside_by_its_reason(kind: Kind) {
    const ALL: u64 = 1_000;
    const ATTEMPTS: u32 = 3;
    let (server, record) = (kind.start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let broker = looks_on.broker();
    let process = Process::start(&Setup::new(server.url(), &record).attempts(ATTEMPTS).work(Work::Fails(7))).await;
    let body = |n| if n % 10 == 3 { format!("{{\"n\": \"poison {n}\"}}") } else { format!("{{\"n\": {n}}}") };
    server.push_bodies(&(0..ALL).map(body).collect::<Vec<_>>()).await;
    let counts = server.drained(broker).await;
    assert_eq!(counts.dead, 200);
    if kind == Kind::Redis {
        assert_eq!((counts.dead_by.undecodable, counts.dead_by.exhausted), (100, 100));
    }
    assert_eq!(record.numbers(), (0..ALL).filter(|n| ![3, 7].contains(&(n % 10))).collect());
    assert_eq!(record.duplicates(), 0);

    let unreadable = broker.peek("jobs", Letters::of(DeadReason::Undecodable)).await.unwrap();
    let mut bodies: Vec<_> = unreadable.iter().map(|letter| String::from_utf8_lossy(&letter.entry.body)).collect();
    bodies.sort_by_key(|body| body.len());
    assert_eq!((bodies.len(), &*bodies[0]), (100, r#"{"n": "poison 3"}"#), "the original bytes");
    assert!(unreadable.iter().all(|letter| letter.entry.attempt == 1), "another attempt is of no use");
    let failed = broker.peek("jobs", Letters::of(DeadReason::Exhausted)).await.unwrap();
    assert_eq!(failed.len(), 100);
    for letter in &failed {
        assert_eq!((letter.entry.attempt, letter.entry.history.len()), (ATTEMPTS, ATTEMPTS as usize), "{letter:?}");
        let last = letter.entry.history.last().unwrap();
        assert_eq!((&*last.agent, &*last.handler, &*last.error), ("consumer", "consume", "every tenth fails"));
        assert!(letter.entry.first_seen_ms <= last.at_ms && last.at_ms <= letter.died_at_ms + 1, "{letter:?}");
    }

    // Those that failed are tried again, with the same end; what cannot be read stays where it is.
    assert_eq!(broker.replay("jobs", Letters::of(DeadReason::Exhausted).oldest(10)).await.unwrap(), 10);
    process.until(EventKind::DeadLettered, 210).await;
    server.drained(broker).await;
    assert_eq!(
        (dead_by(broker, DeadReason::Undecodable).await, dead_by(broker, DeadReason::Exhausted).await),
        (100, 100)
    );
    let failed = broker.peek("jobs", Letters::of(DeadReason::Exhausted)).await.unwrap();
    assert_eq!(failed.last().unwrap().entry.history.len(), 2 * ATTEMPTS as usize, "a replay keeps the history");
    assert_eq!(broker.purge("jobs", Letters::of(DeadReason::Undecodable)).await.unwrap(), 100);
    let counts = server.counts(broker).await;
    assert_eq!((counts.dead, dead_by(broker, DeadReason::Exhausted).await), (100, 100));
    let counters = process.stop().await;
    assert_eq!((counters.of(EventKind::Crashed), counters.of(EventKind::Consumed)), (0, 800));
    looks_on.stop().await;
}

const MESSAGES: u64 = 20;

/// A handler that always panics, in an agent that may crash as often as it likes: each message is dead after its
/// attempts, a panic counts for its own message only, and the group goes on.
async fn a_handler_that_always_panics_ends_in_dead_letters(kind: Kind) {
    const ATTEMPTS: u32 = 3;
    let (server, record) = (kind.start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).attempts(ATTEMPTS).intensity(1_000).work(Work::Panics);
    server.push(0..MESSAGES).await;
    let process = Process::start(&setup).await;
    let counts = server.drained(looks_on.broker()).await;
    assert_eq!((counts.dead, dead_by(looks_on.broker(), DeadReason::Exhausted).await), (MESSAGES, MESSAGES));
    for letter in looks_on.broker().peek("jobs", Letters::all()).await.unwrap() {
        assert_eq!((letter.entry.attempt, letter.entry.history.len()), (ATTEMPTS, ATTEMPTS as usize), "{letter:?}");
        assert!(letter.entry.history.iter().all(|failure| failure.error.contains("always")), "{letter:?}");
    }
    let counters = process.stop().await;
    assert_eq!(counters.of(EventKind::Crashed), MESSAGES * u64::from(ATTEMPTS));
    assert_eq!(counters.of(EventKind::Retried), MESSAGES * u64::from(ATTEMPTS - 1));
    looks_on.stop().await;
}

/// With the default intensity it ends the group with exit code 3, and every message is still there, with its attempt.
async fn a_handler_that_always_panics_ends_the_group_and_loses_nothing(kind: Kind) {
    let (server, record) = (kind.start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let mut setup = Setup::new(server.url(), &record).work(Work::Panics);
    setup.pause = Duration::from_secs(600);
    server.push(0..MESSAGES).await;
    let process = Process::start_any(&setup).await;
    let begun = Instant::now();
    assert_eq!(process.ended().await, 3, "{}", process.log());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}, and nothing here needs the deadline", begun.elapsed());
    let counts = server.counts(looks_on.broker()).await;
    assert_eq!((counts.left(), counts.in_flight, counts.dead), (MESSAGES, 0, 0), "{counts:?}\n{}", process.log());
    let failed = server.delayed().await;
    let crashes = process.last_counters().await.of(EventKind::Crashed);
    assert!(crashes > 5, "{crashes}");
    // Each crash is the attempt of one message, and all others are as they were.
    assert!(failed.iter().all(|entry| entry.attempt == 2 && entry.history.len() == 1), "{failed:?}");
    assert_eq!((failed.len() as u64, counts.waiting), (crashes, MESSAGES - crashes));
    looks_on.stop().await;
}
