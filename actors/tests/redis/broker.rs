//! Queues with a server that is well.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_actors::broker::Broker;
use formicary_actors::contract::{ConnectionState, ConsumerId, Counts, Outcome, SendOptions};
use formicary_actors::events::EventKind;
use formicary_actors::{Error, SendError};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::common::{Mailer, S, Tray, ask, broker, settle, taken, up};

pub async fn consume(broker: &Broker, credit: usize) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    let credit = NonZeroUsize::new(credit).unwrap();
    let id = broker.consume("mailer", credit, "Agent.deliver", tray.clone()).await.unwrap();
    (id, tray)
}

async fn counts(broker: &Broker, what: &str, wanted: (u64, u64, u64, u64)) {
    let told = |counts: Counts| (counts.waiting, counts.in_flight, counts.delayed, counts.dead);
    wait::until(5 * S, what, async || told(broker.inspect("mailer").await.unwrap()) == wanted).await;
}

#[actix::test]
async fn messages_come_in_list_order_and_no_more_than_the_credit() {
    if !require_redis("messages_come_in_list_order_and_no_more_than_the_credit") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    for n in 0..10 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let (id, tray) = consume(&broker, 3).await;
    let got = tray.until(3).await;
    counts(&broker, "three in flight", (7, 3, 0, 0)).await;
    assert_eq!(got[0].attempt, 1);
    assert!(got[0].first_seen_ms > 0 && got[0].id != got[1].id);
    broker.settle(id, vec![settle(got[1].token, Outcome::Ack)]);
    tray.until(4).await;
    counts(&broker, "the fourth for the second", (6, 3, 0, 0)).await;
    for token in [0, 2, 3].map(|at| tray.all()[at].token) {
        broker.settle(id, vec![settle(token, Outcome::Ack)]);
    }
    let mut done = 4;
    while done < 10 {
        let next = tray.until(done + 1).await[done].token;
        broker.settle(id, vec![settle(next, Outcome::Ack)]);
        done += 1;
    }
    counts(&broker, "an empty queue", (0, 0, 0, 0)).await;
    let numbers: Vec<_> = (0..10).map(|n: u32| n.to_string()).collect();
    assert_eq!(tray.bodies(), numbers);
    assert_eq!(broker.env().events.count(EventKind::Consumed), 10);
    let keys = server.command(&["KEYS", "*"]).await.unwrap();
    assert_eq!(keys.array().len(), 2, "only mailer:meta and mailer:leases are left: {keys:?}");
}

#[actix::test]
async fn python_pushes_and_pops_beside_us_and_bodies_are_any_bytes() {
    if !require_redis("python_pushes_and_pops_beside_us_and_bodies_are_any_bytes") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    broker.send::<Mailer>(&json!({"text": "ü"})).await.unwrap();
    let popped = server.command(&["BLPOP", "mailer", "1"]).await.unwrap();
    assert_eq!(popped.array()[1].text().unwrap(), "{\"text\":\"ü\"}");
    let (id, tray) = consume(&broker, 16).await;
    let bodies: [&[u8]; 7] =
        [b"message", b"", b"\xff\x00\n\r\n{", b"pmessage", b"psubscribe", b"message", b"{\"id\":\"x\"}\n"];
    for body in bodies {
        server.command(&[&b"RPUSH"[..], b"mailer", body]).await.unwrap();
    }
    let got = tray.until(7).await;
    assert_eq!(tray.bodies(), bodies);
    broker.settle(id, got.iter().map(|one| settle(one.token, Outcome::Return)).collect::<Vec<_>>());
    let again = tray.until(14).await;
    assert_eq!(tray.bodies()[7..], bodies, "returned untouched and in order");
    assert!(again.iter().all(|one| one.attempt == 1));
}

async fn returned_together(count: usize, bytes: usize) {
    let server = Server::start().await;
    let broker = broker(&server.url());
    for n in 0..count {
        broker.dynamic("mailer", &json!(format!("{n:05}{}", "x".repeat(bytes)))).await.unwrap();
    }
    let (id, tray) = consume(&broker, count).await;
    let got = tray.until(count).await;
    broker.settle(id, got.iter().map(|one| settle(one.token, Outcome::Return)).collect::<Vec<_>>());
    tray.until(2 * count).await;
    assert!(tray.bodies()[count..] == tray.bodies()[..count], "{count} of {bytes} bytes come in another order");
}

#[actix::test]
async fn more_returns_than_one_turn_settles_keep_their_order() {
    if !require_redis("more_returns_than_one_turn_settles_keep_their_order") {
        return;
    }
    returned_together(600, 1).await;
    returned_together(16, 300_000).await;
}

#[actix::test]
async fn nothing_is_taken_after_a_cancel() {
    if !require_redis("nothing_is_taken_after_a_cancel") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 4).await;
    broker.dynamic("mailer", &json!(1)).await.unwrap();
    let one = tray.until(1).await.remove(0);
    broker.cancel(id).await;
    broker.dynamic("mailer", &json!(2)).await.unwrap();
    // What is out may still be settled.
    broker.settle(id, vec![settle(one.token, Outcome::Ack)]);
    let events = &broker.env().events;
    wait::until(S, "the settlement", async || events.count(EventKind::Consumed) == 1).await;
    wait::until(2 * S, "the end of its connection", async || {
        !server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap().contains("consumer")
    })
    .await;
    assert_eq!((ask(&server, &["LLEN", "mailer"]).await, tray.all().len()), (1, 1));
}

#[actix::test]
async fn what_is_delayed_comes_on_time_while_the_reader_is_blocked() {
    if !require_redis("what_is_delayed_comes_on_time_while_the_reader_is_blocked") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (_, tray) = consume(&broker, 4).await;
    wait::until(S, "a blocked reader", async || {
        let list = server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
        list.contains("cmd=blmove")
    })
    .await;
    let mut options = SendOptions::default();
    options.delay = Some(Duration::from_millis(300));
    let start = Instant::now();
    broker.send_with::<Mailer>(&json!("x"), options).await.unwrap();
    assert_eq!(ask(&server, &["ZCARD", "mailer:delayed"]).await, 1);
    let mut looked = tokio::time::interval(Duration::from_millis(1));
    while tray.all().is_empty() {
        assert!(start.elapsed() < S);
        looked.tick().await;
    }
    let took = start.elapsed();
    println!("a delay of 300 ms took {took:?}");
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(400), "{took:?}");
    let mut options = SendOptions::default();
    options.key = Some("k".to_owned());
    let error = broker.send_with::<Mailer>(&json!("x"), options).await.unwrap_err();
    assert_eq!(error.to_string(), "not sent: the redis broker has no option `key`");
}

#[actix::test]
async fn an_idle_consumer_costs_below_ten_commands_a_second() {
    if !require_redis("an_idle_consumer_costs_below_ten_commands_a_second") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (_, _tray) = consume(&broker, 4).await;
    let processed = async || {
        let info = server.command(&["INFO", "stats"]).await.unwrap().text().unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).unwrap().to_owned();
        line.parse::<u64>().unwrap()
    };
    let (before, start) = (processed().await, Instant::now());
    wait::until(7 * S, "six idle seconds", async || start.elapsed() >= 6 * S).await;
    let rate = (processed().await - before) as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.1} commands a second");
    assert!(rate < 10.0, "{rate} commands a second");
}

#[actix::test]
async fn messages_that_nobody_settled_go_back_when_the_broker_ends() {
    if !require_redis("messages_that_nobody_settled_go_back_when_the_broker_ends") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 4).await;
    for n in 0..6 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(4).await;
    broker.settle(id, vec![settle(got[1].token, Outcome::Ack)]);
    drop(broker);
    wait::until(2 * S, "them to go back", async || taken(&server, "mailer").await == 0).await;
    wait::until(2 * S, "no connection of ours", async || {
        !server.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap().contains("formicary")
    })
    .await;
    let list = server.command(&["LRANGE", "mailer", "0", "-1"]).await.unwrap();
    let list: Vec<_> = list.array().iter().filter_map(|one| one.text()).collect();
    assert_eq!(list.len(), 5, "{list:?}");
    assert_eq!(list[..2], ["0", "2"]);
}

#[actix::test]
async fn another_format_and_keys_of_another_type_are_refused_clearly() {
    if !require_redis("another_format_and_keys_of_another_type_are_refused_clearly") {
        return;
    }
    let server = Server::start().await;
    server.command(&["HSET", "mailer:meta", "format", "3"]).await.unwrap();
    server.command(&["SET", "second", "x"]).await.unwrap();
    let broker = broker(&server.url());
    up(|| broker.connection()).await;
    assert_eq!(broker.connection(), ConnectionState::Up);
    let tray = Arc::new(Tray::default());
    let error = broker.consume("mailer", NonZeroUsize::MIN, "c", tray.clone()).await.unwrap_err();
    assert!(error.to_string().contains("format `3`"), "{error}");
    let error = broker.consume("second", NonZeroUsize::MIN, "c", tray).await.unwrap_err();
    assert!(error.to_string().contains("the key `second` holds a string, not a list"), "{error}");
    let error = broker.dynamic("second", &json!(1)).await.unwrap_err();
    assert!(matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("WRONGTYPE")), "{error}");
}
