//! What a server refuses brakes that alone; and what there is to do ends when there is nothing to do.

use std::time::Instant;

use formicary_actors::contract::{Outcome, SendOptions};
use formicary_actors::events::EventKind;
use formicary_protocol::DeadReason;
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::broker::consume;
use crate::common::{Mailer, S, ask, broker, settle};

/// How often the server has refused something with this word.
async fn refused(server: &Server, word: &str) -> usize {
    let info = server.command(&["INFO", "errorstats"]).await.unwrap().text().unwrap();
    let line = format!("errorstat_{word}:count=");
    info.lines().find_map(|one| one.strip_prefix(&line)).map_or(0, |count| count.trim().parse().unwrap())
}

#[actix::test]
async fn a_server_that_is_full_is_asked_less_and_less() {
    if !require_redis("a_server_that_is_full_is_asked_less_and_less") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (_id, tray) = consume(&broker, 4).await;
    broker.dynamic("mailer", &json!(0)).await.unwrap();
    tray.until(1).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    wait::until(5 * S, "the first refusal", async || refused(&server, "OOM").await > 0).await;
    let (begun, first) = (Instant::now(), refused(&server, "OOM").await);
    wait::until(10 * S, "five more", async || refused(&server, "OOM").await >= first + 5).await;
    assert!(begun.elapsed() > S, "five within {:?}", begun.elapsed());
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    broker.dynamic("mailer", &json!(1)).await.unwrap();
    tray.until(2).await;
}

#[actix::test]
async fn one_settlement_that_is_refused_does_not_brake_the_others() {
    if !require_redis("one_settlement_that_is_refused_does_not_brake_the_others") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 16).await;
    server.command(&["SET", "mailer:dead", "x"]).await.unwrap();
    broker.dynamic("mailer", &json!("poison")).await.unwrap();
    let poison = tray.until(1).await.remove(0);
    let begun = Instant::now();
    broker.settle(id, vec![settle(poison.token, Outcome::Dead { reason: DeadReason::Refused })]);
    // By then the pause after a refusal is as long as it gets.
    wait::until(5 * S, "some refusals", async || begun.elapsed() > 2 * S).await;
    for n in 0..100 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let (mut done, begun) = (1, Instant::now());
    while done < 101 {
        let all = tray.until(done + 1).await;
        broker.settle(id, all[done..].iter().map(|one| settle(one.token, Outcome::Ack)).collect::<Vec<_>>());
        done = all.len();
    }
    let events = &broker.env().events;
    wait::until(S, "all acknowledged", async || events.count(EventKind::Consumed) == 100).await;
    assert!(begun.elapsed() < S, "{:?}", begun.elapsed());
    server.command(&["DEL", "mailer:dead"]).await.unwrap();
    wait::until(3 * S, "the dead letter", async || ask(&server, &["LLEN", "mailer:dead"]).await == 1).await;
}

#[actix::test]
async fn a_master_that_became_a_replica_is_connected_to_anew() {
    if !require_redis("a_master_that_became_a_replica_is_connected_to_anew") {
        return;
    }
    let (server, other) = (Server::start().await, Server::start().await);
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 4).await;
    broker.dynamic("mailer", &json!(0)).await.unwrap();
    tray.until(1).await;
    let clients = async || {
        let list = server.command(&["CLIENT", "LIST", "TYPE", "normal"]).await.unwrap().text().unwrap();
        let id = |line: &str| line.split_whitespace().next().unwrap().to_owned();
        let ours = list.lines().filter(|line| line.contains("name=formicary:broker"));
        ours.map(id).collect::<std::collections::BTreeSet<_>>()
    };
    let before = clients().await;
    assert_eq!(before.len(), 2, "one for commands, one that waits");
    // With an unreachable master it keeps its data, and refuses every write.
    let port = other.port().to_string();
    drop(other);
    server.command(&["REPLICAOF", "127.0.0.1", &port]).await.unwrap();
    assert!(broker.dynamic("mailer", &json!(1)).await.is_err());
    wait::until(8 * S, "new connections", async || clients().await.is_disjoint(&before)).await;
    server.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    broker.settle(id, settle(tray.all()[0].token, Outcome::Ack));
    wait::until(8 * S, "a send", async || broker.dynamic("mailer", &json!(2)).await.is_ok()).await;
    tray.until(2).await;
}

#[actix::test]
async fn a_cancelled_consumer_rests_while_something_is_in_hand() {
    if !require_redis("a_cancelled_consumer_rests_while_something_is_in_hand") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    broker.dynamic("mailer", &json!("in hand")).await.unwrap();
    let mut options = SendOptions::default();
    options.delay = Some(S / 2);
    broker.send_with::<Mailer>(&json!("later"), options).await.unwrap();
    let sent = Instant::now();
    let (id, tray) = consume(&broker, 4).await;
    tray.until(1).await;
    broker.cancel(id).await;
    wait::until(2 * S, "the end of the delay", async || sent.elapsed() > S / 2).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let (before, begun) = (metrics.worker_total_busy_duration(0), Instant::now());
    wait::until(2 * S, "a while", async || begun.elapsed() > S / 2).await;
    let busy = metrics.worker_total_busy_duration(0) - before;
    assert!(busy < begun.elapsed() / 2, "busy for {busy:?} of {:?}", begun.elapsed());
    broker.settle(id, settle(tray.all()[0].token, Outcome::Ack));
}
