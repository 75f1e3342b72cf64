//! What dead consumers leave, and who takes it over.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_actors::RedisConfig;
use formicary_actors::broker::Broker;
use formicary_actors::contract::{ConsumerId, Outcome};
use formicary_actors::events::EventKind;
use formicary_protocol::{Entry, Failure};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::common::{S, Tray, ask, broker_of, settle, taken};

const LEASE: Duration = Duration::from_millis(600);

fn leased(url: &str) -> Broker {
    broker_of(url.parse::<RedisConfig>().unwrap().lease(LEASE))
}

async fn consume(broker: &Broker, credit: usize) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    let credit = NonZeroUsize::new(credit).unwrap();
    (broker.consume("mailer", credit, "Agent.deliver", tray.clone()).await.unwrap(), tray)
}

/// The consumer that has entered the queue first.
async fn only_consumer(server: &Server) -> String {
    let keys = server.command(&["HKEYS", "mailer:leases"]).await.unwrap();
    assert_eq!(keys.array().len(), 1);
    keys.array()[0].text().unwrap()
}

/// A consumer that died with two messages: one at its first attempt, one with a past.
async fn leave_a_dead_one(server: &Server) {
    let entry = Entry { attempt: 3, ..Entry::new("old", 7, "late".into()) };
    let (entry, place) = (entry.encode(), b"mailer:taken:dead".as_slice());
    server.command(&["HSET", "mailer:leases", "dead", "41"]).await.unwrap();
    server.command(&[b"HSET", place, b"+1735689600000-1000", b"first"]).await.unwrap();
    server.command(&[b"HSET", place, b"=1735689600000-1001", &entry]).await.unwrap();
}

#[actix::test]
async fn a_survivor_takes_over_within_one_and_a_half_leases() {
    if !require_redis("a_survivor_takes_over_within_one_and_a_half_leases") {
        return;
    }
    let server = Server::start().await;
    leave_a_dead_one(&server).await;
    let broker = leased(&server.url());
    let start = Instant::now();
    let (id, tray) = consume(&broker, 8).await;
    let counts = broker.inspect("mailer").await.unwrap();
    assert_eq!((counts.waiting, counts.in_flight), (0, 2), "in flight, of another process");
    let got = tray.until(2).await;
    let took = start.elapsed();
    println!("taken over after {took:?}, with a lease of {LEASE:?}");
    assert!(took >= LEASE && took < LEASE * 3 / 2, "{took:?}");
    let told: Vec<_> = got.iter().map(|one| (&*one.id, one.attempt, one.first_seen_ms, &one.body[..])).collect();
    let expected: [(&str, u32, u64, &[u8]); 2] =
        [("dead-1735689600000-1000", 2, 1_735_689_600_000, b"first"), ("old", 4, 7, b"late")];
    assert_eq!(told, expected);
    for one in &got {
        assert_eq!(one.history.len(), 1);
        assert_eq!(one.history[0].error, "its consumer dead died while it had this message");
    }
    broker.settle(id, got.iter().map(|one| settle(one.token, Outcome::Ack)).collect::<Vec<_>>());
    let events = &broker.env().events;
    wait::until(S, "both settled", async || events.count(EventKind::Consumed) == 2).await;
    assert_eq!((events.count(EventKind::Reclaimed), events.count(EventKind::LateSettlement)), (2, 0));
    assert_eq!(ask(&server, &["HLEN", "mailer:leases"]).await, 1, "the dead one is forgotten");
}

#[actix::test]
async fn a_place_that_is_large_is_taken_over_in_order_and_whole() {
    if !require_redis("a_place_that_is_large_is_taken_over_in_order_and_whole") {
        return;
    }
    let server = Server::start().await;
    server.command(&["HSET", "mailer:leases", "dead", "1"]).await.unwrap();
    let fields: Vec<String> = (0..256).flat_map(|n| [format!("+1735689600000-{}", 1000 + n), n.to_string()]).collect();
    let command: Vec<&str> =
        ["HSET", "mailer:taken:dead"].into_iter().chain(fields.iter().map(String::as_str)).collect();
    server.command(&command).await.unwrap();
    let broker = leased(&server.url());
    let (_, tray) = consume(&broker, 300).await;
    tray.until(256).await;
    let bodies: Vec<_> = tray.bodies().iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
    assert_eq!(bodies, (0..256).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(taken(&server, "mailer").await, 256);
}

#[actix::test]
async fn who_lives_keeps_what_it_has() {
    if !require_redis("who_lives_keeps_what_it_has") {
        return;
    }
    let server = Server::start().await;
    let brokers = [leased(&server.url()), leased(&server.url())];
    let (id, tray) = consume(&brokers[0], 1).await;
    brokers[0].dynamic("mailer", &json!(1)).await.unwrap();
    let one = tray.until(1).await.remove(0);
    let (_, other) = consume(&brokers[1], 1).await;
    let start = Instant::now();
    wait::until(4 * LEASE, "three leases", async || start.elapsed() >= 3 * LEASE).await;
    assert!(other.all().is_empty());
    brokers[0].settled(id, settle(one.token, Outcome::Ack)).await.unwrap();
}

#[actix::test]
async fn a_consumer_that_was_away_too_long_is_late_and_goes_on() {
    if !require_redis("a_consumer_that_was_away_too_long_is_late_and_goes_on") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let (away, survivor) = (leased(&proxy.url()), leased(&server.url()));
    let (id, tray) = consume(&away, 4).await;
    for n in 0..2 {
        away.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(2).await;
    let (survivor_id, others) = consume(&survivor, 4).await;
    proxy.refuse().await;
    proxy.drop_all().await;
    let again = others.until(2).await;
    assert_eq!(again.iter().map(|one| one.attempt).collect::<Vec<_>>(), [2, 2]);
    // One was finished meanwhile, and is settled as soon as that is possible.
    away.settle(id, settle(got[0].token, Outcome::Ack));
    proxy.accept().await;
    let events = &away.env().events;
    wait::until(5 * S, "the late one", async || events.count(EventKind::LateSettlement) == 1).await;
    let error = away.settled(id, settle(got[1].token, Outcome::Ack)).await.unwrap_err();
    assert_eq!(error.to_string(), "1 settlements came too late: the broker has given the messages to another consumer");
    assert_eq!(events.count(EventKind::Consumed), 0);
    for one in again {
        survivor.settled(survivor_id, settle(one.token, Outcome::Ack)).await.unwrap();
    }
    survivor.cancel(survivor_id).await;
    // It has a lease again, and takes.
    away.dynamic("mailer", &json!("new")).await.unwrap();
    let new = tray.until(3).await.remove(2);
    away.settled(id, settle(new.token, Outcome::Ack)).await.unwrap();
}

#[actix::test]
async fn an_outage_begins_the_wait_anew() {
    if !require_redis("an_outage_begins_the_wait_anew") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    leave_a_dead_one(&server).await;
    let broker = leased(&proxy.url());
    let (_, tray) = consume(&broker, 8).await;
    let start = Instant::now();
    // Between two looks, which come every third: no answer is lost by it.
    wait::until(S, "most of a lease", async || start.elapsed() >= LEASE * 3 / 4).await;
    proxy.drop_all().await;
    let broken = Instant::now();
    tray.until(2).await;
    assert!(broken.elapsed() >= LEASE, "{:?}", broken.elapsed());
}

#[actix::test]
async fn a_server_that_was_silent_makes_nobody_dead() {
    if !require_redis("a_server_that_was_silent_makes_nobody_dead") {
        return;
    }
    let server = Server::start().await;
    let (one, two) = (Proxy::start(server.port()).await, Proxy::start(server.port()).await);
    let brokers = [leased(&one.url()), leased(&two.url())];
    let (id, tray) = consume(&brokers[0], 1).await;
    brokers[0].dynamic("mailer", &json!(1)).await.unwrap();
    let held = tray.until(1).await.remove(0);
    let (_, other) = consume(&brokers[1], 1).await;
    // Both hear nothing for two leases; the heartbeat has not found it by then.
    one.set(Mode::Blackhole);
    two.set(Mode::Blackhole);
    let start = Instant::now();
    wait::until(3 * LEASE, "two leases", async || start.elapsed() >= 2 * LEASE).await;
    for proxy in [&one, &two] {
        proxy.set(Mode::Pass);
        proxy.drop_all().await;
    }
    let back = Instant::now();
    wait::until(2 * S, "the first to settle", async || {
        brokers[0].connection() == formicary_actors::contract::ConnectionState::Up
    })
    .await;
    wait::until(3 * LEASE, "a lease after the return", async || back.elapsed() >= 2 * LEASE).await;
    assert!(other.all().is_empty());
    brokers[0].settled(id, settle(held.token, Outcome::Ack)).await.unwrap();
}

#[actix::test]
async fn places_of_the_format_before_are_taken_over() {
    if !require_redis("places_of_the_format_before_are_taken_over") {
        return;
    }
    let server = Server::start().await;
    server.command(&["HSET", "mailer:meta", "format", "1"]).await.unwrap();
    let entry = Entry::new("018f-000000000003", 7, "kept".into()).encode();
    server.command(&[&b"HSET"[..], b"mailer:taken:018f", b"018f-000000000003", &entry]).await.unwrap();
    for n in 0..3_000 {
        server.command(&["SET", &format!("other:{n}"), "x"]).await.unwrap();
    }
    let broker = leased(&server.url());
    let (_, tray) = consume(&broker, 8).await;
    let one = tray.until(1).await.remove(0);
    assert_eq!((&*one.id, one.attempt, &one.body[..]), ("018f-000000000003", 2, &b"kept"[..]));
    let format = server.command(&["HGET", "mailer:meta", "format"]).await.unwrap();
    assert_eq!(format.text().unwrap(), "2");
}

#[actix::test]
async fn lost_leases_are_entered_again() {
    if !require_redis("lost_leases_are_entered_again") {
        return;
    }
    let server = Server::start().await;
    let broker = leased(&server.url());
    let (id, tray) = consume(&broker, 1).await;
    let uid = only_consumer(&server).await;
    broker.dynamic("mailer", &json!(0)).await.unwrap();
    let one = tray.until(1).await.remove(0);
    server.command(&["FLUSHALL"]).await.unwrap();
    let mut retry = settle(one.token, Outcome::Retry { after: Duration::ZERO });
    retry.failure = Some(Failure::new(1, "Agent", "deliver", "no"));
    assert!(broker.settled(id, retry).await.is_err(), "it is gone");
    broker.dynamic("mailer", &json!(1)).await.unwrap();
    tray.until(2).await;
    assert_eq!(only_consumer(&server).await, uid);
}
