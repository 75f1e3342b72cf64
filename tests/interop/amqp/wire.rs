//! What we declare and send to join Python, held against the vectors.

use std::collections::BTreeSet;

use formicary::prelude::*;
use formicary_test_support::wire::Vector;

use super::stage::{Stage, taken, topical};
use crate::queues;

/// Consumes every queue of the vectors.
struct Binds;

#[agent]
impl Binds {
    #[consumer(queues::WireAmqp)]
    async fn plain(&self, _message: Value) {}

    #[consumer(queues::WireFanA)]
    async fn fan_a(&self, _message: Value) {}

    #[consumer(queues::WireFanB)]
    async fn fan_b(&self, _message: Value) {}

    #[consumer(queues::WireTopic)]
    async fn topic(&self, _message: Value) {}
}

/// Some fields of a frame, as a line.
fn line(frame: &Value, fields: &[&str]) -> String {
    fields.iter().map(|field| frame[field].to_string()).collect::<Vec<_>>().join(" ")
}

const QUEUE: [&str; 5] = ["queue", "durable", "exclusive", "auto_delete", "arguments"];
const EXCHANGE: [&str; 6] = ["exchange", "exchange_type", "durable", "auto_delete", "internal", "arguments"];
const BINDING: [&str; 4] = ["queue", "exchange", "routing_key", "arguments"];

#[actix::test]
async fn what_we_declare_for_python_is_what_python_declares() {
    let Some(stage) = Stage::new("what_we_declare_for_python_is_what_python_declares").await else { return };
    let group = stage.group().agent(|| Binds).start().await.unwrap();
    let vectors = Vector::like("amqp_bind_");
    assert_eq!(vectors.len(), 4);
    let wanted = |kind: &str, fields: &[&str]| {
        vectors.iter().flat_map(|one| one.frames(kind)).map(|frame| line(&frame, fields)).collect::<BTreeSet<_>>()
    };
    let ours = stage.place.topology().await;
    let found = |key: &str, fields: &[&str]| {
        ours[key].as_array().unwrap().iter().map(|one| line(one, fields)).collect::<BTreeSet<_>>()
    };
    // A dead-letter queue or a delay queue may stand beside them, under a name of its own.
    assert!(wanted("Queue.Declare", &QUEUE).is_subset(&found("queues", &QUEUE)), "{ours:#}");
    assert_eq!(found("exchanges", &EXCHANGE), wanted("Exchange.Declare", &EXCHANGE));
    // So may the other queues of an exchange, which we declare with it.
    let mut bindings = found("bindings", &BINDING);
    bindings.retain(|binding| !binding.starts_with("\"wire_noted\""));
    assert_eq!(bindings, wanted("Queue.Bind", &BINDING));
    group.stop().await;
}

#[actix::test]
async fn what_we_send_to_python_is_what_python_sends() {
    let Some(stage) = Stage::new("what_we_send_to_python_is_what_python_sends").await else { return };
    let queues = ["wire_amqp", "wire_fan_a", "wire_topic"];
    let peer = stage.peer(&queues.map(|queue| ["--consume", queue]).concat()).await;
    let group = stage.group().start().await.unwrap();
    for queue in queues {
        group.broker().declare(queue).await.unwrap();
    }
    let broker = group.broker();
    for (name, queue) in [
        ("amqp_send", "wire_amqp"),
        ("amqp_send_rich", "wire_amqp"),
        ("amqp_send_fanout", "wire_fan_a"),
        ("amqp_send_topic", "wire_topic"),
    ] {
        let vector = Vector::named(name);
        let (publish, header) = (&vector.frames("Basic.Publish")[0], &vector.frames("ContentHeader")[0]);
        let body = vector.frames("ContentBody")[0]["body"].as_str().unwrap().to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        let before = peer.jsons(|line| line["consumed"] == queue).len();
        match name {
            "amqp_send_topic" => broker.send_with::<queues::WireTopic>(&body, topical("m.a")).await.unwrap(),
            _ => broker.dynamic(queue, &body).await.unwrap(),
        }
        let seen = taken(&peer, queue, before + 1).await.swap_remove(before);
        let amqp = &seen["amqp"];
        assert_eq!(
            (&seen["message"], &amqp["exchange"], &amqp["routing_key"]),
            (&body, &publish["exchange"], &publish["routing_key"]),
            "{name}"
        );
        assert_eq!(serde_json::from_str::<Value>(amqp["body"].as_str().unwrap()).unwrap(), body, "{name}");
        assert_eq!(amqp["properties"]["delivery_mode"], header["properties"]["delivery_mode"], "{name}: {amqp}");
        assert!(amqp["properties"]["message_id"].as_str().is_some_and(|id| !id.is_empty()), "{name}: {amqp}");
    }
    group.stop().await;
}
