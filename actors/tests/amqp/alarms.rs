//! A server that is short of memory.

use formicary_actors::broker::amqp;
use formicary_actors::contract::Outcome;
use formicary_actors::{Error, SendError};
use formicary_test_support::rabbitmq::Server;
use formicary_test_support::{require_rabbitmq, wait};
use serde_json::json;

use crate::common::{S, consume, counts, env_with, send, settle};

#[actix::test]
async fn under_a_memory_alarm_sends_fail_in_time_and_consuming_goes_on() {
    if !require_rabbitmq("under_a_memory_alarm_sends_fail_in_time_and_consuming_goes_on") {
        return;
    }
    let server = Server::start().await;
    let env = env_with(|limits| limits.send_deadline = S);
    let broker = amqp::start(&server.url().parse().unwrap(), env).unwrap();
    send(&broker, 0..6).await;
    let (id, tray) = consume(&broker, "mailer", 2).await;
    tray.until(2).await;
    server.memory_alarm(true).await;
    // The first one after it was handed to the driver before the server could tell.
    let first = broker.dynamic("mailer", &json!("x")).await.unwrap_err();
    assert!(matches!(first, Error::Send(SendError::Unknown { .. })), "{first}");
    let second = broker.dynamic("mailer", &json!("y")).await.unwrap_err();
    assert!(
        matches!(&second, Error::Send(SendError::NotSent { reason }) if reason.contains("takes no messages")),
        "{second}"
    );
    // Six heartbeats of the alarm, and the consumer is served all the while.
    for at in 0..6 {
        let got = tray.until(at + 1).await;
        broker.settled(id, settle(&got[at], Outcome::Ack)).await.unwrap();
    }
    assert_eq!(broker.inspect("mailer").await.unwrap().left(), 0);
    let waits = broker.clone();
    let sent = actix::spawn(async move { waits.dynamic("mailer", &json!("z")).await });
    actix::clock::sleep(S / 4).await;
    server.memory_alarm(false).await;
    sent.await.unwrap().unwrap();
    // What was with the driver went out when the alarm was over: it was told as unknown.
    let got = tray.until(8).await;
    assert_eq!((&*got[6].body, &*got[7].body), (&b"\"x\""[..], &b"\"z\""[..]));
    assert!(broker.connection() == formicary_actors::contract::ConnectionState::Up, "{:?}", broker.connection());
}

#[actix::test]
async fn a_retry_under_a_memory_alarm_is_kept_until_it_is_over() {
    if !require_rabbitmq("a_retry_under_a_memory_alarm_is_kept_until_it_is_over") {
        return;
    }
    let server = Server::start().await;
    let broker = amqp::start(&server.url().parse().unwrap(), env_with(|_| {})).unwrap();
    let (id, tray) = consume(&broker, "mailer", 2).await;
    send(&broker, 0..1).await;
    let got = tray.until(1).await;
    server.memory_alarm(true).await;
    broker.settle(id, settle(&got[0], Outcome::Retry { after: S / 10 }));
    actix::clock::sleep(S).await;
    counts(&broker, "kept", (0, 1, 0, 0)).await;
    server.memory_alarm(false).await;
    let again = wait::until(8 * S, "the retry", async || tray.all().get(1).cloned()).await;
    assert_eq!((again.attempt, &again.body), (2, &got[0].body));
}
