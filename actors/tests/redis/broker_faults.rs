//! Queues whose server goes away, refuses, or answers into the void.

use std::time::Duration;

use formicary_actors::contract::{Outcome, SendOptions};
use formicary_actors::events::EventKind;
use formicary_actors::{Error, SendError};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::broker::consume;
use crate::common::{Mailer, S, broker, settle, taken};

#[actix::test]
async fn a_message_that_was_removed_at_the_server_is_late() {
    if !require_redis("a_message_that_was_removed_at_the_server_is_late") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 1).await;
    broker.dynamic("mailer", &json!("x")).await.unwrap();
    let one = tray.until(1).await.remove(0);
    let keys = server.command(&["KEYS", "mailer:taken:*"]).await.unwrap();
    server.command(&["DEL", &keys.array()[0].text().unwrap()]).await.unwrap();
    broker.settle(id, vec![settle(one.token, Outcome::Ack)]);
    let events = &broker.env().events;
    wait::until(S, "the refusal", async || events.count(EventKind::LateSettlement) == 1).await;
    assert_eq!(events.count(EventKind::Consumed), 0);
    broker.dynamic("mailer", &json!("y")).await.unwrap();
    tray.until(2).await;
}

#[actix::test]
async fn a_take_whose_answer_is_lost_loses_nothing() {
    if !require_redis("a_take_whose_answer_is_lost_loses_nothing") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let broker = broker(&proxy.url());
    let (id, tray) = consume(&broker, 8).await;
    let mut options = SendOptions::default();
    options.delay = Some(S / 2);
    // So large that they are looked up in more than one part.
    let large = |n: usize| format!("{n}{}", "x".repeat(700_000));
    for n in 0..3 {
        broker.send_with::<Mailer>(&json!(large(n)), options.clone()).await.unwrap();
    }
    // When the delay is over the consumer takes by itself, and hears nothing of it.
    proxy.set_to_client(Mode::Blackhole);
    wait::until(2 * S, "the server to give them", async || taken(&server, "mailer").await > 0).await;
    assert!(tray.all().is_empty());
    proxy.set_to_client(Mode::Pass);
    proxy.drop_all().await;
    let got = tray.until(3).await;
    let mut bodies = tray.bodies();
    bodies.sort();
    assert!(bodies == [0, 1, 2].map(|n| json!(large(n)).to_string()));
    broker.settle(id, got.iter().map(|one| settle(one.token, Outcome::Ack)).collect::<Vec<_>>());
    let events = &broker.env().events;
    wait::until(2 * S, "all settled", async || events.count(EventKind::Consumed) == 3).await;
    assert_eq!((taken(&server, "mailer").await, tray.all().len()), (0, 3));
}

#[actix::test]
async fn a_server_without_memory_is_emptied_and_heals() {
    if !require_redis("a_server_without_memory_is_emptied_and_heals") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    for n in 0..20 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let error = broker.dynamic("mailer", &json!(20)).await.unwrap_err();
    assert!(matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("OOM")), "{error}");
    let mut options = SendOptions::default();
    options.delay = Some(S);
    let error = broker.send_with::<Mailer>(&json!(20), options).await.unwrap_err();
    assert!(matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("OOM")), "{error}");
    let (id, tray) = consume(&broker, 4).await;
    for done in 0..21 {
        let one = tray.until(done + 1).await.remove(done);
        let outcome = if done == 7 { Outcome::Retry { after: Duration::ZERO } } else { Outcome::Ack };
        broker.settle(id, vec![settle(one.token, outcome)]);
    }
    let twice: Vec<_> = tray.all().into_iter().filter(|one| one.attempt == 2).map(|one| one.body).collect();
    assert_eq!(twice, ["7"]);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    broker.dynamic("mailer", &json!("healed")).await.unwrap();
    tray.until(22).await;
}

#[actix::test]
async fn a_key_of_another_type_heals_when_it_is_mended() {
    if !require_redis("a_key_of_another_type_heals_when_it_is_mended") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 4).await;
    broker.dynamic("mailer", &json!(1)).await.unwrap();
    let one = tray.until(1).await.remove(0);
    server.command(&["SET", "mailer", "x"]).await.unwrap();
    server.command(&["SET", "mailer:dead", "x"]).await.unwrap();
    // What does not touch the broken keys is settled all the same; what does is kept.
    broker.settle(id, vec![settle(one.token, Outcome::Return)]);
    wait::until(5 * S, "a refused settlement", async || {
        let info = server.command(&["INFO", "errorstats"]).await.unwrap().text().unwrap();
        info.contains("errorstat_WRONGTYPE")
    })
    .await;
    server.command(&["DEL", "mailer", "mailer:dead"]).await.unwrap();
    tray.until(2).await;
    assert_eq!(broker.env().events.count(EventKind::Returned), 1);
}

#[actix::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    if !require_redis("scripts_that_the_server_forgot_are_sent_again") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 1).await;
    for n in 0..5 {
        server.command(&["SCRIPT", "FLUSH"]).await.unwrap();
        broker.dynamic("mailer", &json!(n)).await.unwrap();
        let token = tray.until(n + 1).await[n].token;
        server.command(&["SCRIPT", "FLUSH"]).await.unwrap();
        broker.settle(id, vec![settle(token, Outcome::Ack)]);
    }
    let events = &broker.env().events;
    wait::until(S, "all settled", async || events.count(EventKind::Consumed) == 5).await;
}
