//! What is declared at the server, and by whom.

use std::time::Instant;

use formicary_actors::AmqpConfig;
use formicary_actors::contract::{Delivered, Outcome, SendOptions};
use formicary_protocol::DeadReason;
use formicary_test_support::{rabbitmq, require_rabbitmq};
use serde_json::json;

use crate::common::{Birds, FanA, Mailer, S, broker, broker_of, consume, counts, send, settle, texts};

fn said<'d>(one: &'d Delivered, name: &str) -> Option<&'d str> {
    one.metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[actix::test]
async fn what_is_sent_before_there_are_consumers_waits_in_every_queue_of_the_exchange() {
    if !require_rabbitmq("what_is_sent_before_there_are_consumers_waits_in_every_queue_of_the_exchange") {
        return;
    }
    let place = rabbitmq::shared("exchanges").await;
    let sender = broker(&place.url());
    sender.send::<FanA>(&json!(1)).await.unwrap();
    let mut options = SendOptions::default();
    options.topic = Some("bird.owl".into());
    sender.send_with::<Birds>(&json!(2), options.clone()).await.unwrap();
    options.topic = Some("fish.cod".into());
    sender.send_with::<Birds>(&json!(3), options).await.unwrap();
    let taker = broker(&place.url());
    for (queue, bodies) in [("fan_a", vec![1]), ("fan_b", vec![1]), ("birds", vec![2]), ("all", vec![2, 3])] {
        let (_, tray) = consume(&taker, queue, 4).await;
        let got = tray.until(bodies.len()).await;
        assert_eq!(tray.bodies(), texts(bodies), "{queue}");
        let exchange = if queue.starts_with("fan") { "events" } else { "zoo" };
        assert_eq!((said(&got[0], "exchange"), said(&got[0], "redelivered")), (Some(exchange), Some("false")));
        let key = if queue.starts_with("fan") { "fan_a" } else { "bird.owl" };
        assert_eq!(said(&got[0], "routing_key"), Some(key));
    }
}

#[actix::test]
async fn a_delay_before_an_exchange_keeps_the_topic() {
    if !require_rabbitmq("a_delay_before_an_exchange_keeps_the_topic") {
        return;
    }
    let place = rabbitmq::shared("delayed-topic").await;
    let broker = broker(&place.url());
    let (_, birds) = consume(&broker, "birds", 4).await;
    let (id, all) = consume(&broker, "all", 4).await;
    let mut options = SendOptions::default();
    options.delay = Some(S / 2);
    options.topic = Some("fish.cod".into());
    let begun = Instant::now();
    broker.send_with::<Birds>(&json!(1), options.clone()).await.unwrap();
    options.topic = Some("bird.owl".into());
    broker.send_with::<Birds>(&json!(2), options).await.unwrap();
    let got = all.until(2).await;
    assert!(begun.elapsed() >= S / 2);
    birds.until(1).await;
    assert_eq!((all.bodies(), birds.bodies()), (texts(1..3), texts(2..3)));
    assert_eq!(said(&got[0], "routing_key"), Some("fish.cod"));
    // A retry is for the one queue whose consumer asked for it.
    broker.settled(id, settle(&got[1], Outcome::Retry { after: S / 10 })).await.unwrap();
    assert_eq!(all.until(3).await[2].attempt, 2);
    assert_eq!(birds.len(), 1);
}

#[actix::test]
async fn a_queue_that_is_there_otherwise_is_refused_with_the_cure() {
    if !require_rabbitmq("a_queue_that_is_there_otherwise_is_refused_with_the_cure") {
        return;
    }
    let place = rabbitmq::shared("otherwise").await;
    let config = || place.url().parse::<AmqpConfig>().unwrap();
    let python = broker_of(config().microagent());
    send(&python, 0..1).await;
    let ours = broker_of(config());
    for error in [
        ours.declare("mailer").await.unwrap_err().to_string(),
        ours.dynamic("mailer", &json!(1)).await.unwrap_err().to_string(),
    ] {
        assert!(error.contains("`mailer` is there otherwise than this program declares it"), "{error}");
        assert!(error.contains("durable") && error.contains("AmqpConfig::microagent()"), "{error}");
    }
    // Other queues are not concerned.
    ours.declare("second").await.unwrap();
    let (id, tray) = consume(&python, "mailer", 4).await;
    let got = tray.until(1).await;
    python.settled(id, settle(&got[0], Outcome::Ack)).await.unwrap();
}

#[actix::test]
async fn quorum_queues_do_the_same() {
    if !require_rabbitmq("quorum_queues_do_the_same") {
        return;
    }
    let place = rabbitmq::shared("quorum").await;
    let config: AmqpConfig = place.url().parse().unwrap();
    let broker = broker_of(config.quorum());
    let (id, tray) = consume(&broker, "mailer", 4).await;
    send(&broker, 0..3).await;
    let got = tray.until(3).await;
    let begun = Instant::now();
    let batch = vec![
        settle(&got[0], Outcome::Ack),
        settle(&got[1], Outcome::Retry { after: S / 2 }),
        settle(&got[2], Outcome::Dead { reason: DeadReason::Rejected }),
    ];
    broker.settled(id, batch).await.unwrap();
    let again = tray.until(4).await;
    assert!(begun.elapsed() >= S / 2);
    assert_eq!((&*again[3].body, again[3].attempt), (&b"1"[..], 2));
    let kinds = place.queues().await;
    assert!(kinds.iter().all(|queue| queue.kind == "quorum" && queue.durable), "{kinds:?}");
    assert_eq!(broker.purge("mailer", Default::default()).await.unwrap(), 1);
}

#[actix::test]
async fn what_has_expired_is_a_dead_letter() {
    if !require_rabbitmq("what_has_expired_is_a_dead_letter") {
        return;
    }
    let place = rabbitmq::shared("expired").await;
    let broker = broker(&place.url());
    let mut options = SendOptions::default();
    options.expires = Some(S / 10);
    options.key = Some("k".into());
    broker.send_with::<Mailer>(&json!("late"), options.clone()).await.unwrap();
    actix::clock::sleep(S / 5).await;
    options.expires = Some(60 * S);
    broker.send_with::<Mailer>(&json!("in time"), options).await.unwrap();
    let (_, tray) = consume(&broker, "mailer", 4).await;
    let got = tray.until(1).await;
    assert_eq!((&*got[0].body, said(&got[0], "key")), (&b"\"in time\""[..], Some("k")));
    counts(&broker, "one is dead", (0, 1, 0, 1)).await;
    let letters = broker.peek("mailer", Default::default()).await.unwrap();
    assert_eq!(letters[0].reason, DeadReason::Expired);
}
