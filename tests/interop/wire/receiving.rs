//! Python's own bytes, as they were captured, are understood.

use formicary::prelude::*;
use formicary::{CallError, Error, EventKind};
use formicary_test_support::redis::{Connection, Server};
use serde_json::json;

use super::calling::One;
use super::vectors::{Vector, value};
use crate::stage::{Log, SOON, Stage, counted};
use crate::{queues, signals};

/// Hears every signal of the vectors as a value, and reads their queue.
struct Hears(Log);

#[agent]
impl Hears {
    #[receiver(signals::UserCreated, signals::Empty, signals::Rich)]
    async fn hear(&self, signal: AnySignal, from: SentBy) {
        self.0.add(json!([signal.signal, from.as_str(), signal.arguments]));
    }

    #[consumer(queues::WireQ)]
    async fn read(&self, message: Value) {
        self.0.add(message);
    }
}

/// Writes captured bytes to the server, and reads its reply.
async fn write(server: &Server, bytes: &[u8]) -> i64 {
    let mut connection = server.connect().await.unwrap();
    connection.send_raw(bytes).await.unwrap();
    connection.read().await.unwrap().integer().unwrap()
}

#[actix::test]
async fn captured_signals_are_heard() {
    let Some(stage) = Stage::without_python("captured_signals_are_heard").await else { return };
    let mut heard = 0;
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("signal_send")) {
        let [publish] = &vector.publishes()[..] else { panic!("{}", vector.name()) };
        let log = Log::default();
        let seen = log.clone();
        let group = stage.group().prefix(publish.prefix()).agent(move || Hears(seen.clone())).start().await.unwrap();
        assert_eq!(write(&stage.server, &publish.bytes).await, 1, "{}", vector.name());
        let (signal, sender) = publish.names();
        assert_eq!(log.until(1).await, [json!([signal, sender, publish.value()])], "{}", vector.name());
        let repaired = u64::from(vector.name() == "signal_send_rich");
        assert_eq!(group.events().count(EventKind::Repaired), repaired);
        heard += 1;
        group.stop().await;
    }
    assert_eq!(heard, 5);
}

async fn observer(server: &Server, pattern: &str) -> Connection {
    let mut observer = server.connect().await.unwrap();
    observer.command(&["PSUBSCRIBE", pattern]).await.unwrap();
    observer
}

/// The next message of an observer: channel and body.
async fn next(observer: &mut Connection) -> (String, String) {
    let message = tokio::time::timeout(SOON, observer.read()).await.unwrap().unwrap();
    (message.array()[2].text().unwrap(), message.array()[3].text().unwrap())
}

#[actix::test]
async fn captured_requests_are_answered_as_captured() {
    let Some(stage) = Stage::without_python("captured_requests_are_answered_as_captured").await else { return };
    let group = stage.group().agent(|| One).start().await.unwrap();
    let mut observer = observer(&stage.server, "PUBSUB:response:*").await;
    let mut answered = 0;
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("rpc_")) {
        let publishes = vector.publishes();
        if vector.name() == "rpc_call_no_responder" {
            continue;
        }
        write(&stage.server, &publishes[0].bytes).await;
        let (channel, body) = next(&mut observer).await;
        let id = |channel: &str| channel.split_once('#').unwrap().1.to_owned();
        assert_eq!(id(&channel), id(&publishes[0].channel), "{}", vector.name());
        assert_eq!(value(&body), publishes[1].value(), "{}", vector.name());
        answered += 1;
    }
    assert_eq!(answered, 13);
    assert_eq!(group.events().count(EventKind::BadInput), 0);
    group.stop().await;
}

#[actix::test]
async fn captured_answers_are_taken() {
    let Some(stage) = Stage::without_python("captured_answers_are_taken").await else { return };
    let group = stage.group().start().await.unwrap();
    // Stands in for the Python responder: it knows the call's id, and says what was captured.
    let mut responder = observer(&stage.server, "PUBSUB:rpc_*").await;
    let mut taken = 0;
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("rpc_")) {
        let publishes = vector.publishes();
        let Some(captured) = publishes.get(1) else { continue };
        let ask = signals::RpcOne { kind: publishes[0].value()["kind"].clone() };
        let call = group.bus().call("caller", &ask);
        let respond = async {
            let (channel, _) = next(&mut responder).await;
            let (uid, _) = captured.channel.split_once('#').unwrap();
            let (_, id) = channel.split_once('#').unwrap();
            stage.publish(format!("{uid}#{id}").as_bytes(), captured.body.as_bytes()).await;
        };
        let (outcome, ()) = tokio::join!(call, respond);
        match captured.value().as_object().unwrap().values().find(|value| !value.is_null()) {
            Some(answer) => assert_eq!(outcome.unwrap(), *answer, "{}", vector.name()),
            None => {
                let error = outcome.unwrap_err();
                assert!(matches!(error, Error::Call(CallError::Empty { .. })), "{}: {error}", vector.name());
            }
        }
        taken += 1;
    }
    assert_eq!(taken, 13);
    group.stop().await;
}

#[actix::test]
async fn captured_queue_messages_are_consumed() {
    let Some(stage) = Stage::without_python("captured_queue_messages_are_consumed").await else { return };
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Hears(seen.clone())).start().await.unwrap();
    let mut wanted = Vec::new();
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("redis_queue_send")) {
        write(&stage.server, &vector.bytes()).await;
        wanted.push(value(vector.text("body")));
    }
    assert_eq!(wanted.len(), 4);
    // Unlike Python, a consumer of ours that takes values takes lists and texts too.
    assert_eq!(log.until(4).await, wanted);
    counted(&group, EventKind::Consumed, 4).await;
    group.stop().await;
}
