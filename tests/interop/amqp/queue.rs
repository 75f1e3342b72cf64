//! Plain queues both ways.

use formicary::EventKind;
use formicary::prelude::*;
use formicary_test_support::wait;
use serde_json::json;

use super::stage::{Stage, taken};
use crate::queues;
use crate::stage::{Log, SOON, command, command_line, counted};

struct Reader(Log);

#[agent]
impl Reader {
    #[consumer]
    async fn read(&self, note: queues::Notes, delivery: Delivery) {
        self.0.add(json!({"text": note.text, "n": note.n, "attempt": delivery.attempt()}));
    }
}

async fn reader(stage: &Stage, log: &Log) -> Group {
    let log = log.clone();
    stage.group().agent(move || Reader(log.clone())).start().await.unwrap()
}

#[actix::test]
async fn on_rabbitmq_each_reads_what_the_other_pushed() {
    let Some(stage) = Stage::new("on_rabbitmq_each_reads_what_the_other_pushed").await else { return };
    let (peer, log) = (stage.peer(&["--consume", "letters"]).await, Log::default());
    let group = reader(&stage, &log).await;
    let texts = ["Zoë ☂ 🐜 \0 \u{2028}", "", "\"\\ \n"];
    for text in texts {
        group.broker().send::<queues::Letters>(&queues::Letters { text: text.into(), n: u64::MAX }).await.unwrap();
        let message = json!({"text": text, "n": u64::MAX});
        command(&peer, json!({"do": "queue_send", "queue": "notes", "message": message})).await;
    }
    let ours: Vec<Value> = texts.iter().map(|text| json!({"text": text, "n": u64::MAX, "attempt": 1})).collect();
    assert_eq!(log.until(3).await, ours);
    for (line, text) in taken(&peer, "letters", 3).await.iter().zip(texts) {
        assert_eq!(line["message"], json!({"text": text, "n": u64::MAX}));
    }
    counted(&group, EventKind::Consumed, 3).await;
    assert_eq!(group.events().count(EventKind::DeadLettered), 0);
    for queue in ["letters", "notes"] {
        wait::until(SOON, "an empty queue", async || match stage.place.queue(queue).await.unwrap() {
            found if found.ready + found.unacked == 0 => Ok(()),
            found => Err(found),
        })
        .await;
    }
    group.stop().await;
    assert_eq!(peer.stop().await, 0);
}

#[actix::test]
async fn on_rabbitmq_python_joins_queues_that_rust_declared() {
    let Some(stage) = Stage::new("on_rabbitmq_python_joins_queues_that_rust_declared").await else { return };
    let log = Log::default();
    let group = reader(&stage, &log).await;
    assert!(!stage.place.queue("notes").await.unwrap().durable);
    // Declares the queue once more, as Python does, and would be refused if anything differed.
    let peer = stage.peer(&["--consume", "notes"]).await;
    group.stop().await;
    command(&peer, json!({"do": "queue_send", "queue": "notes", "message": {"text": "mine", "n": 1}})).await;
    assert_eq!(taken(&peer, "notes", 1).await[0]["message"]["text"], "mine");
    assert_eq!(log.all(), Vec::<Value>::new());
}

#[actix::test]
async fn on_rabbitmq_a_durable_broker_beside_python_does_not_start() {
    let Some(stage) = Stage::new("on_rabbitmq_a_durable_broker_beside_python_does_not_start").await else { return };
    let peer = stage.peer(&["--consume", "notes"]).await;
    let log = Log::default();
    let refused = stage.group_on(stage.config()).agent(move || Reader(log.clone())).start().await;
    let Err(error) = refused else { panic!("the queue of Python is not durable") };
    let error = error.to_string();
    assert!(error.contains("notes") && error.contains("durable"), "{error}");
    assert!(!error.contains(stage.place.password()), "{error}");
    // Python's consumer has not been disturbed.
    command(&peer, json!({"do": "queue_send", "queue": "notes", "message": {"text": "mine", "n": 1}})).await;
    taken(&peer, "notes", 1).await;
}

#[actix::test]
async fn on_rabbitmq_python_s_length_is_what_waits() {
    let Some(stage) = Stage::new("on_rabbitmq_python_s_length_is_what_waits").await else { return };
    let peer = stage.peer(&[]).await;
    let group = stage.group().start().await.unwrap();
    group.broker().declare("letters").await.unwrap();
    for n in 0..3 {
        group.broker().send::<queues::Letters>(&queues::Letters { text: "x".into(), n }).await.unwrap();
    }
    command(&peer, json!({"do": "queue_send", "queue": "letters", "message": {"text": "y", "n": 3}})).await;
    assert_eq!(command(&peer, json!({"do": "queue_length", "queue": "letters"})).await["length"], 4);
    assert_eq!(group.broker().inspect("letters").await.unwrap().waiting, 4);
    group.stop().await;
}

#[actix::test]
async fn on_rabbitmq_what_does_not_decode_is_dead_and_the_next_is_read() {
    let Some(stage) = Stage::new("on_rabbitmq_what_does_not_decode_is_dead_and_the_next_is_read").await else { return };
    let (peer, log) = (stage.peer(&[]).await, Log::default());
    let group = reader(&stage, &log).await;
    // Python's broker sends any value, and integers of any size.
    for message in
        ["[1, 2]", r#""a""#, r#"{"text": "x"}"#, r#"{"text": "\udc00", "n": 1}"#, r#"{"text": "x", "n": 1e3}"#]
    {
        command_line(&peer, &format!(r#"{{"do": "queue_send", "queue": "notes", "message": {message}}}"#)).await;
    }
    command(&peer, json!({"do": "queue_send", "queue": "notes", "message": {"text": "good", "n": 1, "more": 2}})).await;
    assert_eq!(log.until(1).await, [json!({"text": "good", "n": 1, "attempt": 1})]);
    counted(&group, EventKind::DeadLettered, 5).await;
    counted(&group, EventKind::Consumed, 1).await;
    wait::until(SOON, "five dead letters", async || match group.broker().inspect("notes").await.unwrap() {
        counts if (counts.left(), counts.dead) == (0, 5) => Ok(()),
        counts => Err(counts),
    })
    .await;
    assert_eq!(group.events().count(EventKind::Retried), 0);
    group.stop().await;
}
