//! Consumers whose process dies.

use std::collections::BTreeMap;
use std::time::Duration;

use formicary::EventKind;
use formicary::contract::Letters;
use formicary::protocol::DeadReason;
use formicary_test_support::redis::Server;
use tokio::time::{Instant, sleep};

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work, passed_number};
use crate::jobs::{drained, places, push, taken};

on_redis! {
    a_consumer_killed_three_times_in_10_000_messages_loses_none,
    twenty_kills_at_random_moments_lose_nothing,
    twenty_kills_pass_each_message_on_once,
    what_a_dead_consumer_had_is_taken_over_within_1_5_leases,
    a_message_that_kills_its_process_is_a_dead_letter_in_the_end,
}

const LEASE: Duration = Duration::from_secs(1);

/// Of 10,000 messages none is lost when their consumer is killed three times, and none is handled twice but those that
/// were in flight.
async fn a_consumer_killed_three_times_in_10_000_messages_loses_none() {
    const ALL: u64 = 10_000;
    let (server, record) = (Server::start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(&server, &record).lease(LEASE);
    push(&server, 0..ALL).await;
    let (mut in_flight, mut seen) = (0, BTreeMap::new());
    for kill in 1..=3 {
        let process = Process::start(&setup).await;
        record.until(kill * 2_500, LONG).await;
        process.kill().await;
        in_flight += left_behind(&server, &mut seen).await;
    }
    assert!(taken(&server).await > 0, "it was killed with nothing in flight");
    let last = Process::start(&setup).await;
    let counts = drained(looks_on.broker()).await;
    assert_eq!(counts.dead, 0);
    assert_eq!(record.numbers(), (0..ALL).collect());
    let duplicates = record.duplicates() as u64;
    println!("measured: {ALL} messages, 3 kills: 0 lost, {duplicates} handled twice, {in_flight} were in flight");
    assert!(duplicates <= in_flight, "{duplicates} duplicates of {in_flight} in flight");
    assert_eq!(last.stop().await.of(EventKind::DeadLettered), 0);
    looks_on.stop().await;
}

/// What stands in places that were not there before.
async fn left_behind(server: &Server, seen: &mut BTreeMap<String, u64>) -> u64 {
    let now = places(server).await;
    let new = now.iter().filter(|(place, _)| !seen.contains_key(*place)).map(|(_, held)| held).sum();
    seen.extend(now);
    new
}

/// Killed twenty times at random moments of its takes and acknowledgements, a consumer loses nothing.
async fn twenty_kills_at_random_moments_lose_nothing() {
    let (server, record) = (Server::start().await, Record::new());
    twenty_kills(&server, &record, &Setup::new(&server, &record).lease(LEASE)).await;
}

/// What a consumer passes on in its outbox is passed on once for each message, and nothing is left out, when it is killed
/// twenty times at random moments: it goes with the acknowledgement or not at all.
async fn twenty_kills_pass_each_message_on_once() {
    let (server, record) = (Server::start().await, Record::new());
    twenty_kills(&server, &record, &Setup::new(&server, &record).lease(LEASE).work(Work::Passes)).await;
    let passed = server.command(&["LRANGE", "passed", "0", "-1"]).await.unwrap();
    let mut passed: Vec<u64> = passed.array().iter().map(|body| passed_number(&body.text().unwrap())).collect();
    passed.sort_unstable();
    assert_eq!(passed, (0..KILLS * EACH).collect::<Vec<_>>());
    assert!(record.duplicates() > 0, "no message was handled twice: it was killed in vain");
}

const KILLS: u64 = 20;
/// Messages for each.
const EACH: u64 = 500;

async fn twenty_kills(server: &Server, record: &Record, setup: &Setup) {
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let (mut in_flight, mut seen) = (0, BTreeMap::new());
    for kill in 0..KILLS {
        push(server, kill * EACH..(kill + 1) * EACH).await;
        let process = Process::start(setup).await;
        until(SOON, "the first message", async || record.has_any_by(process.id())).await;
        // The moment itself is what is tested.
        sleep(random_up_to(Duration::from_millis(60))).await;
        process.kill().await;
        in_flight += left_behind(server, &mut seen).await;
    }
    let last = Process::start(setup).await;
    let counts = drained(looks_on.broker()).await;
    let all = KILLS * EACH;
    assert_eq!((counts.dead, record.numbers()), (0, (0..all).collect()));
    let duplicates = record.duplicates() as u64;
    println!("measured: {all} messages, {KILLS} kills: 0 lost, {duplicates} handled twice, {in_flight} were in flight");
    assert!(duplicates <= in_flight, "{duplicates} duplicates of {in_flight} in flight");
    last.stop().await;
    looks_on.stop().await;
}

fn random_up_to(most: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let chance = std::collections::hash_map::RandomState::new().build_hasher().finish();
    most.mul_f64(chance as f64 / u64::MAX as f64)
}

/// Of two consumers one is killed: the other has taken over within one and a half leases. From a living one it takes
/// nothing, however long a message is in hand.
async fn what_a_dead_consumer_had_is_taken_over_within_1_5_leases() {
    for lease in [LEASE, 3 * LEASE] {
        let (server, record) = (Server::start().await, Record::new());
        let setup = Setup::new(&server, &record).lease(lease);
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
    let setup = Setup::new(&server, &record).lease(LEASE / 2).attempts(ATTEMPTS).work(Work::Dies(0));
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
