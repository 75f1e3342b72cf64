//! The signals and messages that we send are what Python sends.

use formicary::prelude::*;
use serde_json::json;

use super::calling::One;
use super::monitor::Monitor;
use super::vectors::{Vector, same, value};
use crate::signals;
use crate::stage::Stage;

#[actix::test]
async fn signals_are_published_as_python_does() {
    let Some(stage) = Stage::without_python("signals_are_published_as_python_does").await else { return };
    let mut monitor = Monitor::start(&stage.server).await;
    let mut sent = 0;
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("signal_send")) {
        let publishes = vector.publishes();
        let [publish] = &publishes[..] else { panic!("{}", vector.name()) };
        let group = stage.group().prefix(publish.prefix()).start().await.unwrap();
        let (signal, sender) = publish.names();
        group.bus().dynamic(sender, signal, &publish.value()).await.unwrap();
        let command = monitor.next("PUBLISH").await;
        same(vector.name(), &[(command[1].clone(), command[2].clone())], &publishes);
        sent += 1;
        group.stop().await;
    }
    assert_eq!(sent, 5);
}

#[actix::test]
async fn typed_signals_are_published_as_python_does() {
    let Some(stage) = Stage::without_python("typed_signals_are_published_as_python_does").await else { return };
    let mut monitor = Monitor::start(&stage.server).await;
    let group = stage.group().start().await.unwrap();
    group.bus().publish("user_agent", &signals::UserCreated { user_id: json!(1) }).await.unwrap();
    let command = monitor.next("PUBLISH").await;
    let vector = Vector::named("signal_send").publishes();
    assert_eq!((&command[1], &*command[2]), (&vector[0].channel, r#"{"user_id":1}"#));
    group.bus().publish("s", &signals::Empty {}).await.unwrap();
    let command = monitor.next("PUBLISH").await;
    let vector = Vector::named("signal_send_no_args").publishes();
    assert_eq!((&command[1], &command[2]), (&vector[0].channel, &vector[0].body));
    group.stop().await;
}

#[actix::test]
async fn patterns_are_python_s() {
    let Some(stage) = Stage::without_python("patterns_are_python_s").await else { return };
    let mut monitor = Monitor::start(&stage.server).await;
    let group = stage.group().agent(|| One).start().await.unwrap();
    let mut wanted: Vec<String> =
        Vector::named("subscribe").commands().into_iter().map(|mut one| one.remove(1)).collect();
    while !wanted.is_empty() {
        let command = monitor.next("PSUBSCRIBE").await;
        // One more than Python's: where our agents say why they failed.
        let others = command[1..].iter().filter(|pattern| !wanted.contains(pattern));
        assert!(others.into_iter().all(|pattern| pattern == "PUBSUB:response_error:*"), "{command:?}");
        wanted.retain(|pattern| !command.contains(pattern));
    }
    group.stop().await;
}

#[actix::test]
async fn queues_are_pushed_as_python_does() {
    let Some(stage) = Stage::without_python("queues_are_pushed_as_python_does").await else { return };
    let mut monitor = Monitor::start(&stage.server).await;
    let group = stage.group().start().await.unwrap();
    let mut sent = 0;
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("redis_queue_send")) {
        let body = value(vector.text("body"));
        group.broker().dynamic(vector.text("key"), &body).await.unwrap();
        let command = monitor.next(vector.text("command")).await;
        assert_eq!((command.len(), &*command[1]), (3, vector.text("key")), "{}", vector.name());
        assert_eq!(serde_json::from_str::<Value>(&command[2]).unwrap(), body, "{}", vector.name());
        sent += 1;
    }
    assert_eq!(sent, 4);
    assert_eq!(stage.ask(&["LLEN", "wire_q"]).await, 4);
    group.stop().await;
}
