//! Consumers and channels that the server ends.

use std::pin::pin;
use std::time::Duration;

use formicary_actors::contract::{Outcome, SettleError};
use formicary_actors::events::EventKind;
use formicary_test_support::rabbitmq::Server;
use formicary_test_support::{rabbitmq, require_rabbitmq, wait};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::common::{S, broker, consume, counts, send, settle};

#[actix::test]
async fn a_queue_that_is_deleted_is_declared_and_consumed_again() {
    if !require_rabbitmq("a_queue_that_is_deleted_is_declared_and_consumed_again") {
        return;
    }
    let place = rabbitmq::shared("deleted").await;
    let broker = broker(&place.url());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..1).await;
    let got = tray.until(1).await;
    place.delete_queue("mailer").await;
    wait::until(5 * S, "the queue", async || place.queue("mailer").await.is_some_and(|queue| queue.consumers == 1))
        .await;
    let late = broker.settled(id, settle(&got[0], Outcome::Ack)).await;
    assert!(matches!(late, Err(SettleError::Late(_))), "{late:?}");
    assert_eq!(broker.env().events.count(EventKind::LateSettlement), 1);
    send(&broker, 1..2).await;
    assert_eq!(&*tray.until(2).await[1].body, b"1");
}

#[actix::test]
async fn a_close_waits_until_a_busy_server_has_done_what_was_settled() {
    if !require_rabbitmq("a_close_waits_until_a_busy_server_has_done_what_was_settled") {
        return;
    }
    let place = rabbitmq::shared("busy").await;
    let (closes, looks_on) = (broker(&place.url()), broker(&place.url()));
    let (id, tray) = consume(&closes, "mailer", 4).await;
    send(&closes, 0..2).await;
    let got = tray.until(2).await;
    closes.cancel(id).await;
    let busy = place.busy_channels().await;
    closes.settle(id, settle(&got[0], Outcome::Ack));
    let mut close = pin!(closes.close(Instant::now() + 10 * S));
    // Such a channel is killed 100 ms after the connection was closed, with what it has not read.
    timeout(S, &mut close).await.expect_err("the server can have done nothing");
    busy.end().await;
    close.await;
    counts(&looks_on, "what was settled does not come again", (1, 0, 0, 0)).await;
}

#[actix::test]
async fn a_send_to_a_queue_that_was_deleted_is_an_error_once() {
    if !require_rabbitmq("a_send_to_a_queue_that_was_deleted_is_an_error_once") {
        return;
    }
    let place = rabbitmq::shared("unroutable").await;
    let broker = broker(&place.url());
    send(&broker, 0..1).await;
    place.delete_queue("mailer").await;
    let error = broker.dynamic("mailer", &json!(1)).await.unwrap_err().to_string();
    assert!(error.contains("not sent: unroutable"), "{error}");
    send(&broker, 2..3).await;
    counts(&broker, "the next one is there", (1, 0, 0, 0)).await;
}

#[actix::test]
async fn dead_letters_and_delays_whose_queues_are_deleted_lose_nothing() {
    if !require_rabbitmq("dead_letters_and_delays_whose_queues_are_deleted_lose_nothing") {
        return;
    }
    let place = rabbitmq::shared("gone").await;
    let broker = broker(&place.url());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..3).await;
    let got = tray.until(3).await;
    let retry = Outcome::Retry { after: Duration::from_millis(100) };
    broker.settled(id, settle(&got[0], retry.clone())).await.unwrap();
    tray.until(4).await;
    place.delete_queue("mailer.delayed.112").await;
    place.delete_queue("mailer.dead").await;
    broker.settled(id, settle(&got[1], retry)).await.unwrap();
    let dead = Outcome::Dead { reason: formicary_protocol::DeadReason::Rejected };
    broker.settled(id, settle(&got[2], dead)).await.unwrap();
    assert_eq!(tray.until(5).await[4].attempt, 2);
    counts(&broker, "one is dead", (0, 2, 0, 1)).await;
}

#[actix::test]
async fn a_channel_that_the_server_closes_for_a_message_kept_too_long_is_opened_again() {
    if !require_rabbitmq("a_channel_that_the_server_closes_for_a_message_kept_too_long_is_opened_again") {
        return;
    }
    let server = Server::options().setting("consumer_timeout = 1000").start().await;
    // So often it looks; a minute by default.
    server.eval("application:set_env(rabbit, channel_tick_interval, 500)").await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..1).await;
    let got = tray.until(1).await;
    let again = tray.until(2).await;
    assert_eq!((again[1].attempt, &again[1].body), (1, &got[0].body));
    let late = broker.settled(id, settle(&got[0], Outcome::Ack)).await;
    assert!(matches!(late, Err(SettleError::Late(_))), "{late:?}");
    broker.settled(id, settle(&again[1], Outcome::Ack)).await.unwrap();
    counts(&broker, "nothing left", (0, 0, 0, 0)).await;
}

#[actix::test]
async fn a_user_who_may_do_nothing_any_more_is_met_with_a_pause_and_healed_when_mended() {
    if !require_rabbitmq("a_user_who_may_do_nothing_any_more_is_met_with_a_pause_and_healed_when_mended") {
        return;
    }
    let place = rabbitmq::shared("forbidden").await;
    let broker = broker(&place.url());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..1).await;
    let got = tray.until(1).await;
    place.forbid().await;
    place.close_connections().await;
    let error = broker.dynamic("mailer", &json!(1)).await.unwrap_err().to_string();
    assert!(error.contains("not sent") && error.contains("ACCESS_REFUSED"), "{error}");
    place.allow().await;
    let again = tray.until(2).await;
    assert_eq!(again[1].body, got[0].body);
    broker.settled(id, settle(&again[1], Outcome::Ack)).await.unwrap();
    send(&broker, 2..3).await;
    tray.until(3).await;
}
