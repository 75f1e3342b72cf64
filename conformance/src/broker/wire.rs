//! The wire of Python `microagent`, for adapters that share it: what Python puts into a queue is consumed, and what we put there is what
//! Python does.

use std::sync::Arc;

use formicary_actors::Env;
use formicary_actors::broker::Broker;
use formicary_actors::contract::SendOptions;
use formicary_protocol::{Field, Prefix, Queue, Value};
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use super::taker::Taker;
use crate::left_out::{LeftOut, Verdict};
use crate::wire::{Vector, declarations, value};

macro_rules! queue {
    ($name:ident, $queue:literal, $message:ty) => {
        struct $name;

        impl Queue for $name {
            const NAME: &'static str = $queue;
            type Message = $message;

            fn fields() -> Option<Vec<Field>> {
                None
            }
        }
    };
}

queue!(WireQ, "wire_q", Mail);
queue!(WireTopic, "wire_topic", Value);

/// A message with its keys in the order in which Python wrote them.
#[derive(Serialize, Deserialize)]
struct Mail {
    user_id: u64,
    text: String,
}

/// A broker in a Python cluster.
fn broker(stage: &Stage) -> Result<Broker, LeftOut> {
    let apart = "its place has no `broker_beside_python`: it does not say that it shares the wire of Python";
    let config = stage.place.broker_beside_python().ok_or_else(|| LeftOut(apart.into()))?;
    Ok(config.start(Env::new(Prefix::default(), Arc::new(declarations()))).unwrap())
}

/// What Python has sent.
struct Sent {
    vector: Vector,
    exchange: String,
    key: String,
    body: String,
    /// The queues which had it.
    reached: Vec<String>,
}

/// What Python sent to a queue of its own. The bodies are the same on Redis and on RabbitMQ.
fn plain() -> Vec<Sent> {
    let text = |vector: &Vector, key: &str| vector.value()[key].as_str().map(str::to_owned);
    let lists = Vector::like("redis_queue_send").into_iter().map(|vector| {
        let (key, body) = (text(&vector, "key").unwrap(), text(&vector, "body").unwrap());
        Sent { reached: vec![key.clone()], exchange: String::new(), key, body, vector }
    });
    let plain: Vec<_> = lists.chain(on_amqp().into_iter().filter(|sent| sent.exchange.is_empty())).collect();
    assert_eq!(plain.len(), 7);
    plain
}

/// What Python sent by an exchange.
fn exchanged() -> Vec<Sent> {
    let exchanged: Vec<_> = on_amqp().into_iter().filter(|sent| !sent.exchange.is_empty()).collect();
    assert_eq!(exchanged.len(), 3);
    exchanged
}

fn on_amqp() -> Vec<Sent> {
    let sent = |vector: Vector| {
        let text = |kind: &str, key: &str| vector.frames(kind)[0][key].as_str().unwrap().to_owned();
        let (exchange, key) = (text("Basic.Publish", "exchange"), text("Basic.Publish", "routing_key"));
        let body = text("ContentBody", "body");
        let saw = vector.value()["handler_saw"].as_array().unwrap();
        let reached = saw.iter().map(|one| one[0].as_str().unwrap().to_owned()).collect();
        Sent { exchange, key, body, reached, vector }
    };
    Vector::like("amqp_send").into_iter().map(sent).collect()
}

/// What Python puts into a queue comes as it stands, at its first attempt: objects, and whatever else is JSON.
pub(crate) async fn what_python_sends_is_consumed(stage: &mut Stage) -> Verdict {
    let broker = broker(stage)?;
    for queue in ["wire_q", "wire_amqp"] {
        broker.declare(queue).await.unwrap();
        let taker = Taker::of(&broker, queue, 1).await;
        for sent in plain().into_iter().filter(|sent| sent.key == queue) {
            stage.push_raw(queue, sent.body.as_bytes()).await?;
            let one = taker.one().await;
            assert_eq!((&one.body[..], one.attempt), (sent.body.as_bytes(), 1), "{}", sent.vector.name());
            taker.ack(&one).await;
        }
    }
    Ok(())
}

/// What we send is what Python sends, for whoever takes it.
pub(crate) async fn what_is_sent_is_what_python_sends(stage: &mut Stage) -> Verdict {
    let broker = broker(stage)?;
    for sent in plain() {
        broker.declare(&sent.key).await.unwrap();
        match sent.vector.name() {
            "redis_queue_send" => {
                let mail: Mail = serde_json::from_str(&sent.body).unwrap();
                broker.send::<WireQ>(&mail).await.unwrap();
            }
            _ => broker.dynamic(&sent.key, &value(&sent.body)).await.unwrap(),
        }
        let taken = stage.take_raw(&sent.key).await?;
        assert_eq!(taken.len(), 1, "{}", sent.vector.name());
        sent.vector.holds_body(&taken[0], &sent.body);
    }
    Ok(())
}

const BOUND: [&str; 3] = ["wire_fan_a", "wire_fan_b", "wire_topic"];

/// What Python sends by an exchange comes to the queues to which it came in Python, and to no other.
pub(crate) async fn what_python_sends_by_an_exchange_is_consumed(stage: &mut Stage) -> Verdict {
    let broker = broker(stage)?;
    stage.can("exchanges", |can| can.exchanges).await?;
    let mut takers = Vec::new();
    for queue in BOUND {
        broker.declare(queue).await.unwrap();
        takers.push((queue, Taker::of(&broker, queue, 1).await));
    }
    for sent in exchanged() {
        stage.route_raw(&sent.exchange, &sent.key, sent.body.as_bytes()).await?;
        for (queue, taker) in &takers {
            if sent.reached.iter().any(|reached| reached == queue) {
                let one = taker.one().await;
                assert_eq!(&one.body[..], sent.body.as_bytes(), "{}", sent.vector.name());
                taker.ack(&one).await;
            }
        }
    }
    for (queue, taker) in &takers {
        // Then nothing is on its way to it.
        taker.cancel().await;
        let waiting = broker.inspect(queue).await.unwrap().waiting;
        assert_eq!((taker.held(), waiting), (0, 0), "`{queue}` has what is not its own");
    }
    Ok(())
}

/// What we send by an exchange comes, in Python's bytes, to the queues to which it came in Python, and to no other.
pub(crate) async fn what_is_sent_by_an_exchange_comes_where_python_s_does(stage: &mut Stage) -> Verdict {
    let broker = broker(stage)?;
    stage.can("exchanges", |can| can.exchanges).await?;
    for queue in BOUND {
        broker.declare(queue).await.unwrap();
    }
    for sent in exchanged() {
        let message = value(&sent.body);
        if BOUND.contains(&&*sent.key) {
            broker.dynamic(&sent.key, &message).await.unwrap();
        } else {
            let mut options = SendOptions::default();
            options.topic = Some(sent.key.as_str().into());
            broker.send_with::<WireTopic>(&message, options).await.unwrap();
        }
        for queue in BOUND {
            let reached = sent.reached.iter().any(|reached| reached == queue);
            let taken = stage.take_raw(queue).await?;
            assert_eq!(taken.len(), usize::from(reached), "{} in {queue}", sent.vector.name());
            taken.iter().for_each(|body| sent.vector.holds_body(body, &sent.body));
        }
    }
    Ok(())
}
