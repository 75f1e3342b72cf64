//! The calls and answers that we send are what Python sends.

use formicary::prelude::*;
use formicary::{CallError, Error};
use serde_json::json;

use super::monitor::Monitor;
use super::vectors::{Publish, Vector, same};
use crate::signals;
use crate::stage::Stage;

/// The agent of the vectors. Where Python's answer is null for a value of ours that it would not carry, so is this one.
pub struct One;

#[agent]
impl One {
    #[receiver]
    async fn on_one(&self, ask: signals::RpcOne) -> Result<Value> {
        Ok(match ask.kind.as_str() {
            Some("str") => json!("строка"),
            Some("empty") => json!(""),
            Some("int") => json!(7),
            Some("true") => json!(true),
            Some("false") => json!(false),
            Some("raise") => Err("raised")?,
            _ => Value::Null,
        })
    }

    #[receiver]
    async fn first(&self, _: signals::RpcTwo) -> Result<u64> {
        Ok(1)
    }

    #[receiver]
    async fn second(&self, _: signals::RpcTwo) -> Result<&'static str> {
        Ok("two")
    }
}

/// Calls as the vector's first PUBLISH says.
async fn call(group: &Group, request: &Publish) -> Result<Value, Error> {
    let (signal, sender) = request.names();
    let kind = request.value()["kind"].clone();
    match signal {
        "rpc_one" => group.bus().call(sender, &signals::RpcOne { kind }).await,
        "rpc_two" => group.bus().call(sender, &signals::RpcTwo { kind }).await,
        other => panic!("no call of {other}"),
    }
}

#[actix::test]
async fn calls_and_answers_are_published_as_python_does() {
    let Some(stage) = Stage::without_python("calls_and_answers_are_published_as_python_does").await else { return };
    let mut monitor = Monitor::start(&stage.server).await;
    let one = stage.group().agent(|| One).start().await.unwrap();
    let mut two = None;
    let mut called = 0;
    for vector in Vector::all().into_iter().filter(|vector| vector.name().starts_with("rpc_")) {
        let (name, publishes) = (vector.name().to_owned(), vector.publishes());
        if name == "rpc_call_no_responder" {
            continue;
        }
        if name == "rpc_two_responders" {
            two = Some(stage.group().agent(|| One).start().await.unwrap());
        }
        let outcome = call(&one, &publishes[0]).await;
        let mut observed = Vec::new();
        for _ in &publishes {
            let command = monitor.next("PUBLISH").await;
            // What Python has no words for: why it is null.
            let command = match command[1].contains(":response_error:") {
                true => monitor.next("PUBLISH").await,
                false => command,
            };
            observed.push((command[1].clone(), command[2].clone()));
        }
        same(&name, &observed, &publishes);
        match publishes[1].value().as_object().unwrap().values().find(|value| !value.is_null()) {
            Some(answer) => assert_eq!(outcome.unwrap(), *answer, "{name}"),
            // Not `Empty`: a Rust caller takes null for an answer of a Rust handler that said nothing else only if typed so.
            None => assert!(outcome.is_err(), "{name}"),
        }
        called += 1;
    }
    assert_eq!(called, 13);
    one.stop().await;
    two.unwrap().stop().await;
}

#[actix::test]
async fn a_call_that_nobody_answers_is_published_as_python_does() {
    let Some(stage) = Stage::without_python("a_call_that_nobody_answers_is_published_as_python_does").await else {
        return;
    };
    let mut monitor = Monitor::start(&stage.server).await;
    let vector = Vector::named("rpc_call_no_responder").publishes();
    let group = stage.group().prefix(vector[0].prefix()).start().await.unwrap();
    let error = call(&group, &vector[0]).await.unwrap_err();
    assert!(matches!(error, Error::Call(CallError::NobodyListening { .. })), "{error}");
    let command = monitor.next("PUBLISH").await;
    same("rpc_call_no_responder", &[(command[1].clone(), command[2].clone())], &vector);
    group.stop().await;
}
