//! Many senders at once, and what becomes of messages that no queue takes.

use std::time::Instant;

use formicary_actors::contract::SendOptions;
use formicary_actors::{Error, SendError};
use formicary_test_support::{rabbitmq, require_rabbitmq};
use futures_util::future::join_all;
use serde_json::json;

use crate::common::{Ducks, FanA, Mailer, S, broker, consume, counts, texts};

fn topic(topic: &str) -> SendOptions {
    let mut options = SendOptions::default();
    options.topic = Some(topic.to_owned());
    options
}

#[actix::test]
async fn senders_do_not_wait_for_each_other_and_keep_their_order() {
    if !require_rabbitmq("senders_do_not_wait_for_each_other_and_keep_their_order") {
        return;
    }
    let place = rabbitmq::shared("pipeline").await;
    let broker = broker(&place.url());
    crate::common::send(&broker, 0..1).await;
    let begun = Instant::now();
    crate::common::send(&broker, 1..101).await;
    let alone = begun.elapsed() / 100;
    let begun = Instant::now();
    let bodies: Vec<_> = (101..1_101).map(|n| json!(n)).collect();
    let sent = join_all(bodies.iter().map(|body| broker.send::<Mailer>(body))).await;
    let together = begun.elapsed() / 1_000;
    assert!(sent.into_iter().all(|sent| sent.is_ok()));
    eprintln!("{alone:?} one by one, {together:?} together");
    assert!(together < alone, "each waits for the one before: {together:?}, {alone:?} alone");
    let (_, tray) = consume(&broker, "mailer", 2_000).await;
    tray.until(1_101).await;
    assert_eq!(tray.bodies(), texts(0..1_101));
}

#[actix::test]
async fn what_no_queue_takes_is_an_error_of_its_own_sender() {
    if !require_rabbitmq("what_no_queue_takes_is_an_error_of_its_own_sender") {
        return;
    }
    let place = rabbitmq::shared("returned").await;
    let broker = broker(&place.url());
    for _ in 0..20 {
        let bodies: Vec<_> = (0..50).map(|n| json!(n)).collect();
        let one = |n: usize| {
            let (broker, body) = (&broker, &bodies[n]);
            async move {
                match n % 3 {
                    0 => broker.send_with::<Ducks>(body, topic("fish.cod")).await,
                    1 => broker.send_with::<Ducks>(body, topic("duck.mallard")).await,
                    _ => broker.send::<Mailer>(body).await,
                }
            }
        };
        let sent = join_all((0..bodies.len()).map(one)).await;
        for (n, sent) in sent.into_iter().enumerate() {
            match sent {
                Err(Error::Send(SendError::NotSent { reason })) if n % 3 == 0 => {
                    assert!(reason.contains("unroutable"), "{reason}");
                }
                Ok(()) if n % 3 != 0 => {}
                other => panic!("message {n}: {other:?}"),
            }
        }
    }
    assert_eq!(place.queue("ducks").await.unwrap().ready, 20 * 17);
    counts(&broker, "all of the other queue", (20 * 16, 0, 0, 0)).await;
}

#[actix::test]
async fn options_that_cannot_travel_are_refused_before_anything_is_sent() {
    if !require_rabbitmq("options_that_cannot_travel_are_refused_before_anything_is_sent") {
        return;
    }
    let place = rabbitmq::shared("options").await;
    let broker = broker(&place.url());
    let set = |set: fn(&mut SendOptions)| {
        let mut options = SendOptions::default();
        set(&mut options);
        options
    };
    for (options, why) in [
        (topic("a.b"), "without an exchange"),
        (set(|options| options.id = Some("i".repeat(256))), "255"),
        (set(|options| options.headers = vec![("h".repeat(256), String::new())]), "255"),
        (set(|options| options.headers = vec![("h".into(), "x".repeat(70_000))]), "65536 bytes"),
        (set(|options| options.headers = vec![("x-formicary-attempt".into(), "9".into())]), "one of our own"),
        (set(|options| options.delay = Some(S * 86_400 * 30)), "24 days"),
    ] {
        let error = broker.send_with::<Mailer>(&json!(1), options).await.unwrap_err().to_string();
        assert!(error.contains("not sent") && error.contains(why), "{error}");
    }
    let error = broker.send_with::<FanA>(&json!(1), topic(&"t".repeat(256))).await.unwrap_err().to_string();
    assert!(error.contains("topic is longer"), "{error}");
}
