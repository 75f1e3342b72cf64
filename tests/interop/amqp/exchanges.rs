//! Fan-out and topics, with producers and consumers of both languages.

use formicary::prelude::*;
use formicary_test_support::python::Peer;
use serde_json::json;

use super::stage::{Stage, taken, topical};
use crate::queues;
use crate::stage::{Log, command};

/// Of each exchange, one queue is ours and one is Python's.
struct Ours(Log);

#[agent]
impl Ours {
    #[consumer(queues::WireFanA)]
    async fn fanned(&self, message: Value) {
        self.0.add(json!({"fan": message["x"]}));
    }

    #[consumer(queues::WireNoted)]
    async fn noted(&self, message: Value) {
        self.0.add(json!({"noted": message["x"]}));
    }
}

async fn ours(stage: &Stage, log: &Log) -> Group {
    let log = log.clone();
    stage.group().agent(move || Ours(log.clone())).start().await.unwrap()
}

/// What Python took from a queue, in order, and by which routing key each came.
async fn xs(peer: &Peer, queue: &str, count: usize) -> Vec<(i64, String)> {
    let lines = taken(peer, queue, count).await;
    let one = |line: &Value| {
        let key = line["amqp"]["routing_key"].as_str().unwrap().to_owned();
        (line["message"]["x"].as_i64().unwrap(), key)
    };
    lines.iter().map(one).collect()
}

#[actix::test]
async fn a_fan_out_reaches_the_queues_of_both() {
    let Some(stage) = Stage::new("a_fan_out_reaches_the_queues_of_both").await else { return };
    let log = Log::default();
    let (peer, group) = (stage.peer(&["--consume", "wire_fan_b"]).await, ours(&stage, &log).await);
    group.broker().send::<queues::WireFanB>(&json!({"x": 1})).await.unwrap();
    assert_eq!(log.until(1).await, [json!({"fan": 1})]);
    command(&peer, json!({"do": "queue_send", "queue": "wire_fan_a", "message": {"x": 2}})).await;
    assert_eq!(log.until(2).await, [json!({"fan": 1}), json!({"fan": 2})]);
    let theirs = xs(&peer, "wire_fan_b", 2).await;
    assert_eq!(theirs, [(1, "wire_fan_b".to_owned()), (2, "wire_fan_a".to_owned())]);
    group.stop().await;
}

#[actix::test]
async fn a_topic_reaches_the_queues_of_both_whose_patterns_match() {
    let Some(stage) = Stage::new("a_topic_reaches_the_queues_of_both_whose_patterns_match").await else { return };
    let log = Log::default();
    let (peer, group) = (stage.peer(&["--consume", "wire_topic"]).await, ours(&stage, &log).await);
    // Ours takes `m.a`, Python's `m.*` and `n.#`.
    let topics = ["m.a", "m.b", "n.deep.down", "n"];
    for (x, topic) in topics.iter().enumerate() {
        let options = topical(topic);
        group.broker().send_with::<queues::WireTopic>(&json!({"x": x}), options).await.unwrap();
    }
    for (x, topic) in topics.iter().enumerate() {
        let message = json!({"x": 10 + x});
        let options = json!({"topic": topic});
        command(&peer, json!({"do": "queue_send", "queue": "wire_noted", "message": message, "options": options}))
            .await;
    }
    assert_eq!(log.until(2).await, [json!({"noted": 0}), json!({"noted": 10})]);
    let came = |first: i64| topics.iter().zip(first..).map(|(topic, x)| (x, (*topic).to_owned()));
    assert_eq!(xs(&peer, "wire_topic", 8).await, came(0).chain(came(10)).collect::<Vec<_>>());
    group.stop().await;
}
