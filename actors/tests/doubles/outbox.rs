//! What the broker that records does with an acknowledgement beside acknowledging.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::Env;
use formicary_actors::broker::{Broker, Intake};
use formicary_actors::contract::{
    ConsumerId, DedupBy, Delivered, DeliveryInlet, Outcome, Outgoing, Seen, SendOptions, SettleError, Settlement,
};
use formicary_actors::events::EventKind;
use formicary_actors::testing::RecordingBroker;
use formicary_protocol::{Bytes, Prefix};

use super::common::*;

#[derive(Default)]
struct Held(Mutex<Vec<Delivered>>);

impl DeliveryInlet for Held {
    fn deliver(&self, delivery: Delivered) {
        self.0.lock().unwrap().push(delivery);
    }
}

struct Stage {
    double: RecordingBroker,
    broker: Broker,
    held: Arc<Held>,
    consumer: ConsumerId,
}

/// A consumer of `jobs` that sends to `jobs` with its acknowledgements.
async fn stage() -> Stage {
    tokio::time::pause();
    let double = RecordingBroker::new();
    let broker = double.start(Env::new(Prefix::default(), Arc::new(declarations())));
    let held = Arc::new(Held::default());
    let intake = Intake::new("jobs", NonZeroUsize::new(9).unwrap(), "test", held.clone());
    let intake = intake.outbox(["jobs".into()]).dedup(DedupBy::Id);
    let consumer = broker.consume_with(intake).await.unwrap();
    Stage { double, broker, held, consumer }
}

impl Stage {
    async fn settle(&self, outcome: Outcome, key: Option<&str>) -> Result<(), SettleError> {
        self.broker.inspect("jobs").await.unwrap();
        let delivered = self.held.0.lock().unwrap().remove(0);
        let mut settlement = Settlement::new(delivered.token, outcome);
        let body = Bytes::from_static(b"{\"n\":100}");
        settlement.outbox = vec![Outgoing { queue: "jobs".into(), body, options: SendOptions::default() }];
        settlement.seen = key.map(|key| Seen { key: key.into(), window: Duration::from_secs(60) });
        self.broker.settled(self.consumer, settlement).await
    }
}

#[actix::test]
async fn an_outbox_goes_out_with_the_acknowledgement_and_with_nothing_else() {
    let stage = stage().await;
    stage.double.put::<Job>(&Job { n: 1 });
    stage.settle(Outcome::Retry { after: Duration::from_secs(600) }, None).await.unwrap();
    stage.double.assert_nothing_pushed();
    stage.double.put::<Job>(&Job { n: 2 });
    stage.settle(Outcome::Ack, None).await.unwrap();
    assert_eq!(stage.double.assert_pushed_once::<Job>(), Job { n: 100 });
    assert_eq!(
        stage.double.records().last().unwrap(),
        "pushed to `jobs` {\"n\":100}, with the acknowledgement of test"
    );
    // It has reached the queue.
    stage.broker.inspect("jobs").await.unwrap();
    assert_eq!(stage.held.0.lock().unwrap().len(), 1);
}

#[actix::test]
async fn a_late_acknowledgement_sends_nothing() {
    let stage = stage().await;
    stage.double.put::<Job>(&Job { n: 1 });
    stage.broker.inspect("jobs").await.unwrap();
    let again = stage.held.0.lock().unwrap()[0].clone();
    stage.settle(Outcome::Ack, None).await.unwrap();
    stage.double.clear();
    stage.held.0.lock().unwrap().insert(0, again);
    assert!(matches!(stage.settle(Outcome::Ack, None).await, Err(SettleError::Late(_))));
    stage.double.assert_nothing_pushed();
    assert!(stage.double.settled::<Job>()[0].late);
}

#[actix::test]
async fn a_key_is_remembered_for_its_window() {
    let stage = stage().await;
    for n in 1..=3 {
        stage.double.put::<Job>(&Job { n });
    }
    let seen = async || stage.broker.were_seen(stage.consumer, vec!["a".into(), "b".into()]).await.unwrap();
    assert_eq!(seen().await, [false, false]);
    stage.settle(Outcome::Ack, Some("a")).await.unwrap();
    assert_eq!(seen().await, [true, false]);
    stage.settle(Outcome::Ack, Some("a")).await.unwrap();
    stage.double.assert_pushed_times::<Job>(1);
    assert_eq!(stage.broker.env().events.count(EventKind::Deduplicated), 1);
    assert!(stage.double.settled::<Job>()[1].repeated);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(seen().await, [false, false]);
    stage.settle(Outcome::Ack, Some("a")).await.unwrap();
    stage.double.assert_pushed_times::<Job>(2);
}
