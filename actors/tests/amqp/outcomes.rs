//! Queues with a server that is well.

use std::time::Instant;

use formicary_actors::contract::{Letters, Outcome, SendOptions};
use formicary_actors::events::EventKind;
use formicary_protocol::{DeadReason, Failure};
use formicary_test_support::{rabbitmq, require_rabbitmq};
use serde_json::json;

use crate::common::{Mailer, S, broker, consume, counts, send, settle, texts};

#[actix::test]
async fn messages_come_in_order_and_no_more_than_the_credit() {
    if !require_rabbitmq("messages_come_in_order_and_no_more_than_the_credit") {
        return;
    }
    let place = rabbitmq::shared("credit").await;
    let broker = broker(&place.url());
    send(&broker, 0..10).await;
    counts(&broker, "ten wait", (10, 0, 0, 0)).await;
    let (id, tray) = consume(&broker, "mailer", 3).await;
    let got = tray.until(3).await;
    counts(&broker, "three in flight", (7, 3, 0, 0)).await;
    assert_eq!(got[0].attempt, 1);
    assert!(got[0].first_seen_ms > 0 && got[0].id != got[1].id);
    broker.settle(id, settle(&got[1], Outcome::Ack));
    tray.until(4).await;
    counts(&broker, "the fourth for the second", (6, 3, 0, 0)).await;
    for at in [0, 2, 3] {
        broker.settle(id, settle(&tray.all()[at], Outcome::Ack));
    }
    for done in 4..10 {
        let next = tray.until(done + 1).await;
        broker.settled(id, settle(&next[done], Outcome::Ack)).await.unwrap();
    }
    counts(&broker, "an empty queue", (0, 0, 0, 0)).await;
    assert_eq!(tray.bodies(), texts(0..10));
    assert_eq!(broker.env().events.count(EventKind::Consumed), 10);
    let left = place.queue("mailer").await.unwrap();
    assert_eq!((left.ready, left.unacked), (0, 0));
}

#[actix::test]
async fn the_four_outcomes_do_what_they_say() {
    if !require_rabbitmq("the_four_outcomes_do_what_they_say") {
        return;
    }
    let place = rabbitmq::shared("outcomes").await;
    let broker = broker(&place.url());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..4).await;
    let got = tray.until(4).await;
    let begun = Instant::now();
    let failure = Failure::new(7, "Agent", "deliver", "it broke");
    let retry = settle(&got[1], Outcome::Retry { after: S / 2 }).failed(Some(failure.clone()));
    let dead = settle(&got[2], Outcome::Dead { reason: DeadReason::Refused }).failed(Some(failure.clone()));
    let batch = vec![settle(&got[0], Outcome::Ack), retry, dead, settle(&got[3], Outcome::Return)];
    broker.settled(id, batch).await.unwrap();
    let again = tray.until(6).await;
    assert_eq!(tray.bodies()[4..], texts([3, 1]));
    assert!(begun.elapsed() >= S / 2, "the retry came too early: {:?}", begun.elapsed());
    assert_eq!((again[4].attempt, again[5].attempt), (1, 2));
    assert_eq!((&again[4].id, &again[5].id), (&got[3].id, &got[1].id));
    assert_eq!(again[5].first_seen_ms, got[1].first_seen_ms);
    assert_eq!(*again[5].history, *std::slice::from_ref(&failure));
    counts(&broker, "one is dead", (0, 2, 0, 1)).await;
    let letters = broker.peek("mailer", Letters::all()).await.unwrap();
    assert_eq!((letters[0].reason.clone(), &*letters[0].entry.body), (DeadReason::Refused, &b"2"[..]));
    assert_eq!(letters[0].entry.history, [failure]);
    assert!(broker.settled(id, settle(&got[0], Outcome::Ack)).await.is_err(), "settled twice");
    assert_eq!(broker.replay("mailer", Letters::of(DeadReason::Exhausted)).await.unwrap(), 0);
    assert_eq!(broker.replay("mailer", Letters::of(DeadReason::Refused)).await.unwrap(), 1);
    let replayed = tray.until(7).await;
    assert_eq!((replayed[6].attempt, replayed[6].history.len(), &replayed[6].id), (1, 1, &got[2].id));
    counts(&broker, "none is dead", (0, 3, 0, 0)).await;
}

#[actix::test]
async fn a_delayed_message_waits_at_the_server() {
    if !require_rabbitmq("a_delayed_message_waits_at_the_server") {
        return;
    }
    let place = rabbitmq::shared("delay").await;
    let broker = broker(&place.url());
    let (_, tray) = consume(&broker, "mailer", 4).await;
    let begun = Instant::now();
    let mut options = SendOptions::default();
    options.delay = Some(S / 2);
    options.id = Some("mine".into());
    options.headers = vec![("tenant".into(), "ü".into())];
    broker.send_with::<Mailer>(&json!("later"), options).await.unwrap();
    counts(&broker, "one is delayed", (0, 0, 1, 0)).await;
    let got = tray.until(1).await;
    assert!(begun.elapsed() >= S / 2 && begun.elapsed() < S * 3, "after {:?}", begun.elapsed());
    assert_eq!((&*got[0].id, got[0].attempt), ("mine", 1));
    let tenant = got[0].metadata.iter().find(|(name, _)| name == "tenant");
    assert_eq!(tenant.map(|(_, value)| value.as_str()), Some("ü"));
}

#[actix::test]
async fn connections_that_are_closed_come_back_and_so_do_messages_in_hand() {
    if !require_rabbitmq("connections_that_are_closed_come_back_and_so_do_messages_in_hand") {
        return;
    }
    let place = rabbitmq::shared("closed").await;
    let broker = broker(&place.url());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..2).await;
    let got = tray.until(2).await;
    broker.settled(id, settle(&got[0], Outcome::Ack)).await.unwrap();
    place.close_connections().await;
    let again = tray.until(3).await;
    assert_eq!((again[2].attempt, &again[2].body), (1, &got[1].body), "at once and uncounted");
    assert!(broker.settled(id, settle(&got[1], Outcome::Ack)).await.is_err(), "it came on a channel that is gone");
    assert_eq!(broker.env().events.count(EventKind::LateSettlement), 1);
    broker.settled(id, settle(&again[2], Outcome::Ack)).await.unwrap();
    send(&broker, 2..3).await;
    tray.until(4).await;
}
