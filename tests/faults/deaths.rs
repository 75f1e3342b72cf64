//! Consumers whose process dies.

use std::collections::BTreeMap;
use std::time::Duration;

use formicary::EventKind;
use tokio::time::sleep;

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work, passed_number};
use crate::jobs;
use crate::server::{Kind, Server};

on_servers! {
    a_consumer_killed_three_times_in_10_000_messages_loses_none,
    twenty_kills_at_random_moments_lose_nothing,
    twenty_kills_pass_each_message_on_once,
}

const LEASE: Duration = Duration::from_secs(1);

/// Of 10,000 messages none is lost when their consumer is killed three times, and none is handled twice but those that
/// were in flight.
async fn a_consumer_killed_three_times_in_10_000_messages_loses_none(kind: Kind) {
    const ALL: u64 = 10_000;
    let (server, record) = (kind.start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).lease(LEASE);
    server.push(0..ALL).await;
    let (mut in_flight, mut seen) = (0, BTreeMap::new());
    for kill in 1..=3 {
        let process = Process::start(&setup).await;
        record.until(kill * 2_500, LONG).await;
        process.kill().await;
        in_flight += left_behind(&server, &mut seen, &setup).await;
    }
    assert!(in_flight > 0, "it was killed with nothing in flight");
    let last = Process::start(&setup).await;
    let counts = server.drained(looks_on.broker()).await;
    assert_eq!(counts.dead, 0);
    assert_eq!(record.numbers(), (0..ALL).collect());
    let duplicates = record.duplicates() as u64;
    println!("measured: {ALL} messages, 3 kills: 0 lost, {duplicates} handled twice, {in_flight} were in flight");
    assert!(duplicates <= in_flight, "{duplicates} duplicates of {in_flight} in flight");
    assert_eq!(last.stop().await.of(EventKind::DeadLettered), 0);
    looks_on.stop().await;
}

/// How many messages a consumer had when it was killed: on Redis what stands in places that were not there before. RabbitMQ
/// puts them back before anybody could count them; they are never more than it is given at a time.
async fn left_behind(server: &Server, seen: &mut BTreeMap<String, u64>, setup: &Setup) -> u64 {
    let Server::Redis(redis) = server else { return setup.concurrency.get() as u64 };
    let now = jobs::redis::places(redis).await;
    let new = now.iter().filter(|(place, _)| !seen.contains_key(*place)).map(|(_, held)| held).sum();
    seen.extend(now);
    new
}

/// Killed twenty times at random moments of its takes and acknowledgements, a consumer loses nothing.
async fn twenty_kills_at_random_moments_lose_nothing(kind: Kind) {
    let (server, record) = (kind.start().await, Record::new());
    twenty_kills(&server, &record, &Setup::new(server.url(), &record).lease(LEASE)).await;
}

/// What a consumer passes on in its outbox is passed on once for each message, and nothing is left out, when it is killed
/// twenty times at random moments: it goes with the acknowledgement or not at all.
async fn twenty_kills_pass_each_message_on_once(kind: Kind) {
    let (server, record) = (kind.start().await, Record::new());
    twenty_kills(&server, &record, &Setup::new(server.url(), &record).lease(LEASE).work(Work::Passes)).await;
    let mut passed: Vec<u64> = server.waiting("passed").await.iter().map(|body| passed_number(body)).collect();
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
        server.push(kill * EACH..(kill + 1) * EACH).await;
        let process = Process::start(setup).await;
        until(SOON, "the first message", async || record.has_any_by(process.id())).await;
        // The moment itself is what is tested.
        sleep(random_up_to(Duration::from_millis(60))).await;
        process.kill().await;
        in_flight += left_behind(server, &mut seen, setup).await;
    }
    let last = Process::start(setup).await;
    let counts = server.drained(looks_on.broker()).await;
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
