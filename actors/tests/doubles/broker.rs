//! The broker that records.

use std::time::Duration;

use formicary_actors::contract::SendOptions;
use formicary_actors::group::{BrokerConfig, Group};
use formicary_actors::testing::RecordingBroker;
use formicary_actors::{Error, SendError};
use tokio::time::Instant;

use super::common::*;

/// A group without agents: the test itself sends.
async fn stage() -> (RecordingBroker, Group) {
    tokio::time::pause();
    let broker = RecordingBroker::new();
    let group = Group::builder().declarations(declarations()).broker(BrokerConfig::recording(broker.clone()));
    (broker, group.start().await.unwrap())
}

#[actix::test]
async fn a_broker_records_what_is_pushed() {
    let (broker, group) = stage().await;
    broker.assert_nothing_pushed();
    let text = panic_in(|| broker.assert_pushed_once::<Job>());
    assert_eq!(text, "expected `jobs` to be pushed once, and it was not; recorded on the broker in order:\n  nothing");
    group.broker().send::<Job>(&Job { n: 1 }).await.unwrap();
    broker.put::<Job>(&Job { n: 2 });
    assert_eq!(broker.assert_pushed_once::<Job>(), Job { n: 1 });
    broker.assert_pushed::<Job>(&Job { n: 1 });
    // What another program has put there is in the queue, and was not pushed by ours.
    assert_eq!(group.broker().inspect("jobs").await.unwrap().waiting, 2);
    let text = panic_in(|| broker.assert_not_pushed::<Job>());
    assert!(text.starts_with("expected `jobs` to be pushed never, and it was once; "), "{text}");
    let text = panic_in(|| broker.assert_pushed::<Job>(&Job { n: 2 }));
    assert!(text.starts_with("expected `jobs` to be pushed as {\"n\":2}, and it was once; "), "{text}");
    assert!(text.ends_with("in order:\n  1. pushed to `jobs` {\"n\":1}"), "{text}");
    group.stop().await;
}

#[actix::test]
async fn a_send_fails_and_takes_as_long_as_it_is_told() {
    let (broker, group) = stage().await;
    broker.fail_send::<Job>(SendError::not_sent("no connection"));
    let error = group.broker().send::<Job>(&Job { n: 1 }).await.unwrap_err();
    assert_eq!(error.to_string(), "not sent: no connection");
    broker.assert_nothing_pushed();
    assert_eq!(broker.records(), ["could not push to `jobs` {\"n\":1}: not sent: no connection"]);
    broker.delay::<Job>(Duration::from_secs(3));
    let begun = Instant::now();
    group.broker().send::<Job>(&Job { n: 2 }).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 3);
    broker.delay::<Job>(Duration::from_secs(6));
    let late = group.broker().send::<Job>(&Job { n: 3 }).await.unwrap_err();
    assert!(matches!(late, Error::Send(SendError::NotSent { .. })), "{late}");
    assert_eq!(begun.elapsed().as_secs(), 8);
    assert_eq!(broker.pushed::<Job>(), [Job { n: 2 }]);
    assert_eq!(group.broker().inspect("jobs").await.unwrap().waiting, 1);
    group.stop().await;
}

#[actix::test]
async fn every_option_of_a_send_is_taken() {
    let (broker, group) = stage().await;
    let mut options = SendOptions::default();
    (options.id, options.key, options.expires) = (Some("m-1".into()), Some("k".into()), Some(Duration::from_secs(1)));
    options.headers = vec![("trace".into(), "t-1".into())];
    options.delay = Some(Duration::from_secs(60));
    group.broker().send_with::<Job>(&Job { n: 1 }, options).await.unwrap();
    broker.assert_pushed_times::<Job>(1);
    assert_eq!(group.broker().inspect("jobs").await.unwrap().delayed, 1);
    group.stop().await;
}

#[actix::test]
async fn it_knows_who_consumes_and_what_became_of_each_delivery() {
    let worker = worker().start().await.unwrap();
    let broker = worker.broker().clone();
    assert_eq!(broker.consumed(), ["jobs"]);
    broker.put::<Job>(&Job { n: 2 });
    worker.idle().await;
    assert_eq!(
        broker.records(),
        [
            "worker.work consumes `jobs`",
            "worker.work settled `jobs` {\"n\":2}: dead (refused) at attempt 1: put aside by its handler",
        ]
    );
    assert_eq!(worker.group().broker().inspect("jobs").await.unwrap().dead, 1);
    worker.stop().await;
    assert!(broker.consumed().is_empty());
}
