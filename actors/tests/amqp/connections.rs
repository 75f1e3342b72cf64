//! Connections that cannot be made, are lost, or die without a word.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_actors::broker::Intake;
use formicary_actors::contract::{ConnectionState, Outcome, SettleError};
use formicary_actors::events::EventKind;
use formicary_actors::{AmqpConfig, Error, SendError};
use formicary_protocol::Value;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::{rabbitmq, require_rabbitmq, wait};
use serde_json::json;

use crate::common::{S, Tray, broker, broker_of, consume, counts, down, env_with, send, settle, up};

async fn refused_for_good(url: &str, what: &str) {
    let broker = broker(url);
    let reason = wait::until(5 * S, "the refusal", async || match broker.connection() {
        ConnectionState::Down { reason, lasting: true } => Some(reason),
        _ => None,
    })
    .await;
    assert!(reason.contains(what), "{reason}");
    assert!(!reason.contains("wrong-secret"), "{reason}");
    let described = broker.describe().await.unwrap();
    assert!(!format!("{described:?}").contains("secret"), "{described:?}");
}

#[actix::test]
async fn a_wrong_password_and_a_wrong_vhost_are_told_as_lasting() {
    if !require_rabbitmq("a_wrong_password_and_a_wrong_vhost_are_told_as_lasting") {
        return;
    }
    let place = rabbitmq::shared("refused").await;
    refused_for_good(&place.url().replace("secret-of", "wrong-secret-of"), "refuses the user or password").await;
    refused_for_good(&format!("{}-wrong-secret", place.url()).replace("-wrong-secret", "-other"), "virtual host").await;
}

#[actix::test]
async fn a_send_without_a_server_fails_at_its_deadline() {
    if !require_rabbitmq("a_send_without_a_server_fails_at_its_deadline") {
        return;
    }
    let proxy = Proxy::start(1).await;
    proxy.refuse().await;
    let config: AmqpConfig = format!("amqp://127.0.0.1:{}", proxy.port()).parse().unwrap();
    let env = env_with(|limits| limits.send_deadline = S / 2);
    let broker = formicary_actors::broker::amqp::start(&config, env).unwrap();
    let begun = Instant::now();
    let error = broker.dynamic("mailer", &Value::Null).await.unwrap_err();
    assert!(
        matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("no connection")),
        "{error}"
    );
    assert!(begun.elapsed() >= S / 2 && begun.elapsed() < S * 2, "after {:?}", begun.elapsed());
    assert!(matches!(broker.inspect("mailer").await, Err(Error::Send(SendError::NotSent { .. }))));
    let declared = broker.declare("mailer").await.unwrap_err();
    assert!(declared.to_string().contains("no connection"), "{declared}");
}

#[actix::test]
async fn a_half_open_connection_is_found_within_two_heartbeats_and_messages_in_hand_come_back() {
    if !require_rabbitmq("a_half_open_connection_is_found_within_two_heartbeats_and_messages_in_hand_come_back") {
        return;
    }
    let place = rabbitmq::shared("half-open").await;
    let proxy = Proxy::start(place.server().port()).await;
    let config: AmqpConfig = place.url_by(proxy.port()).parse().unwrap();
    let config = config.heartbeat(S).connect_deadline(S);
    let broker = broker_of(config);
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..1).await;
    let got = tray.until(1).await;
    up(&broker).await;
    proxy.set(Mode::Blackhole);
    let begun = Instant::now();
    down(&broker, 3 * S).await;
    assert!(begun.elapsed() < Duration::from_millis(2_300), "found after {:?}", begun.elapsed());
    let late = broker.settled(id, settle(&got[0], Outcome::Ack)).await;
    assert!(matches!(late, Err(SettleError::Late(_))), "{late:?}");
    proxy.set(Mode::Pass);
    proxy.drop_all().await;
    up(&broker).await;
    let again = tray.until(2).await;
    assert_eq!((again[1].attempt, &again[1].body), (1, &got[0].body));
    assert_eq!(broker.env().events.count(EventKind::LateSettlement), 1);
    broker.settled(id, settle(&again[1], Outcome::Ack)).await.unwrap();
    counts(&broker, "nothing left", (0, 0, 0, 0)).await;
}

#[actix::test]
async fn a_send_waits_for_a_connection_that_comes_back() {
    if !require_rabbitmq("a_send_waits_for_a_connection_that_comes_back") {
        return;
    }
    let place = rabbitmq::shared("waits").await;
    let proxy = Proxy::start(place.server().port()).await;
    let broker = broker(&place.url_by(proxy.port()));
    send(&broker, 0..1).await;
    proxy.refuse().await;
    proxy.drop_all().await;
    down(&broker, 3 * S).await;
    let sender = broker.clone();
    let sent = actix::spawn(async move { sender.dynamic("mailer", &json!(1)).await });
    actix::clock::sleep(S / 2).await;
    proxy.accept().await;
    sent.await.unwrap().unwrap();
    counts(&broker, "both", (2, 0, 0, 0)).await;
}

#[actix::test]
async fn a_closed_broker_refuses_and_what_it_held_is_back_in_order() {
    if !require_rabbitmq("a_closed_broker_refuses_and_what_it_held_is_back_in_order") {
        return;
    }
    let place = rabbitmq::shared("closing").await;
    let first = broker(&place.url());
    let (id, tray) = consume(&first, "mailer", 4).await;
    send(&first, 0..8).await;
    let got = tray.until(4).await;
    first.settle(id, settle(&got[0], Outcome::Ack));
    tray.until(5).await;
    first.settle(id, settle(&got[1], Outcome::Ack));
    drop(first);
    wait::until(5 * S, "the end of its connections", async || place.connections().await == 0).await;
    let second = broker(&place.url());
    let (_, tray) = consume(&second, "mailer", 8).await;
    tray.until(6).await;
    assert_eq!(tray.bodies(), crate::common::texts(2..8));
}

/// What was settled goes out before the connection ends, and an end that is ours is told to nobody as an outage.
#[actix::test]
async fn a_close_applies_what_was_settled_and_is_no_outage() {
    if !require_rabbitmq("a_close_applies_what_was_settled_and_is_no_outage") {
        return;
    }
    let place = rabbitmq::shared("closing").await;
    let look = broker(&place.url());
    // Whether an end of our own is seen depends on who is woken first.
    for _ in 0..40 {
        let broker = broker(&place.url());
        send(&look, 0..16).await;
        let (id, tray) = consume(&broker, "mailer", 16).await;
        let got = tray.until(16).await;
        for one in &got {
            broker.settle(id, settle(one, Outcome::Ack));
        }
        let events = broker.env().events.clone();
        broker.close(tokio::time::Instant::now() + 5 * S).await;
        let told = (events.count(EventKind::Disconnected), events.count(EventKind::LateSettlement));
        assert_eq!(told, (0, 0), "outages, and late settlements");
        assert_eq!(look.inspect("mailer").await.unwrap().left(), 0, "what is left");
    }
}

/// What is acknowledged last, when the copy for its next attempt is confirmed, goes out before the channel ends, too.
#[actix::test]
async fn a_close_leaves_no_original_of_what_is_tried_again() {
    if !require_rabbitmq("a_close_leaves_no_original_of_what_is_tried_again") {
        return;
    }
    let place = rabbitmq::shared("closing-copies").await;
    let look = broker(&place.url());
    for _ in 0..20 {
        let broker = broker(&place.url());
        send(&look, 0..16).await;
        let (id, tray) = consume(&broker, "mailer", 16).await;
        for one in &tray.until(16).await {
            broker.settle(id, settle(one, Outcome::Retry { after: 600 * S }));
        }
        broker.close(tokio::time::Instant::now() + 5 * S).await;
        let queue = place.queue("mailer").await.unwrap();
        assert_eq!((queue.ready, queue.unacked), (0, 0), "each is in its queue of delays, and nowhere else");
    }
}

#[actix::test]
async fn an_outage_of_the_connection_of_outboxes_alone_is_told() {
    if !require_rabbitmq("an_outage_of_the_connection_of_outboxes_alone_is_told") {
        return;
    }
    let place = rabbitmq::shared("outboxes-alone").await;
    let broker = broker(&place.url());
    let intake = Intake::new("mailer", NonZeroUsize::MIN, "Agent.deliver", Arc::new(Tray::default()));
    broker.consume_with(intake.outbox(["second".into()])).await.unwrap();
    up(&broker).await;
    place.limit_connections(Some(2)).await;
    place.close_connections_named("formicary:broker-outboxes").await;
    let refused = async || match broker.connection() {
        ConnectionState::Down { reason, lasting } => (reason.contains("connection limit")).then_some(lasting),
        _ => None,
    };
    let lasting = wait::until(5 * S, "the refusal to be told", refused).await;
    assert!(!lasting, "another program that ends its connections is enough");
    assert_eq!(broker.describe().await.unwrap().connection, broker.connection());
    let events = &broker.env().events;
    assert_eq!((events.count(EventKind::Disconnected), events.count(EventKind::Reconnected)), (1, 0));
    send(&broker, 0..1).await;
    place.limit_connections(None).await;
    up(&broker).await;
    assert_eq!((events.count(EventKind::Disconnected), events.count(EventKind::Reconnected)), (1, 1));
}
