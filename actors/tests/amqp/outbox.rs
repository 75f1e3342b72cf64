//! What is sent together with an acknowledgement.

use std::num::NonZeroUsize;
use std::sync::Arc;

use formicary_actors::broker::{Broker, Intake};
use formicary_actors::contract::{ConsumerId, Outcome, Outgoing, SendOptions, SettleError, Settlement};
use formicary_protocol::Bytes;
use formicary_test_support::{rabbitmq, require_rabbitmq};

use crate::common::{S, Tray, broker, consume, send, settle, texts};

async fn with_outbox(broker: &Broker, credit: usize) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    let credit = NonZeroUsize::new(credit).unwrap();
    let intake = Intake::new("mailer", credit, "Agent.deliver", tray.clone()).outbox(["second".into()]);
    (broker.consume_with(intake).await.unwrap(), tray)
}

fn with(mut settlement: Settlement, queue: &str, bodies: &[&'static str]) -> Settlement {
    let outgoing = |body: &&'static str| Outgoing {
        queue: queue.into(),
        body: Bytes::from_static(body.as_bytes()),
        options: SendOptions::default(),
    };
    settlement.outbox = bodies.iter().map(outgoing).collect();
    settlement
}

#[actix::test]
async fn an_outbox_is_sent_with_its_acknowledgement_in_order_and_with_nothing_else() {
    if !require_rabbitmq("an_outbox_is_sent_with_its_acknowledgement_in_order_and_with_nothing_else") {
        return;
    }
    let place = rabbitmq::shared("outbox").await;
    let broker = broker(&place.url());
    let (_, second) = consume(&broker, "second", 16).await;
    let (id, tray) = with_outbox(&broker, 4).await;
    send(&broker, 0..4).await;
    let got = tray.until(4).await;
    let ack = with(settle(&got[0], Outcome::Ack), "second", &["0", "1", "2"]);
    broker.settled(id, ack).await.unwrap();
    second.until(3).await;
    let retry = with(settle(&got[1], Outcome::Retry { after: S / 10 }), "second", &["7"]);
    broker.settled(id, retry).await.unwrap();
    broker.settled(id, with(settle(&got[2], Outcome::Return), "second", &["8"])).await.unwrap();
    let strange = broker.settled(id, with(settle(&got[3], Outcome::Ack), "mailer", &["9"])).await;
    assert!(matches!(strange, Err(SettleError::NoOutbox)), "{strange:?}");
    broker.settled(id, with(settle(&got[3], Outcome::Ack), "second", &["3"])).await.unwrap();
    second.until(4).await;
    tray.until(6).await;
    assert_eq!(second.bodies(), texts(0..4));
    let left = place.queue("mailer").await.unwrap();
    assert_eq!((left.ready, left.unacked), (0, 2));
}

#[actix::test]
async fn an_outbox_of_a_connection_that_is_gone_is_not_sent() {
    if !require_rabbitmq("an_outbox_of_a_connection_that_is_gone_is_not_sent") {
        return;
    }
    let place = rabbitmq::shared("outbox-late").await;
    let broker = broker(&place.url());
    let (id, tray) = with_outbox(&broker, 4).await;
    send(&broker, 0..1).await;
    let got = tray.until(1).await;
    place.close_connections().await;
    let again = tray.until(2).await;
    let late = broker.settled(id, with(settle(&got[0], Outcome::Ack), "second", &["0"])).await;
    assert!(matches!(late, Err(SettleError::Late(_))), "{late:?}");
    broker.settled(id, with(settle(&again[1], Outcome::Ack), "second", &["1"])).await.unwrap();
    let (_, second) = consume(&broker, "second", 16).await;
    second.until(1).await;
    assert_eq!(second.bodies(), texts(1..2));
}

#[actix::test]
async fn what_an_outbox_sent_to_a_queue_that_was_deleted_is_sent_again() {
    if !require_rabbitmq("what_an_outbox_sent_to_a_queue_that_was_deleted_is_sent_again") {
        return;
    }
    let place = rabbitmq::shared("outbox-deleted").await;
    let broker = broker(&place.url());
    let (id, tray) = with_outbox(&broker, 4).await;
    send(&broker, 0..2).await;
    let got = tray.until(2).await;
    broker.settled(id, with(settle(&got[0], Outcome::Ack), "second", &["0"])).await.unwrap();
    place.delete_queue("second").await;
    broker.settled(id, with(settle(&got[1], Outcome::Ack), "second", &["1"])).await.unwrap();
    let (_, second) = consume(&broker, "second", 4).await;
    second.until(1).await;
    assert_eq!(second.bodies(), texts(1..2));
}
