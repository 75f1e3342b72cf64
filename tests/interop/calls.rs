//! Rust calls, Python answers.

use std::time::Duration;

use formicary::prelude::*;
use formicary::{CallError, Error, EventKind, Limits};
use formicary_test_support::wait;
use serde_json::json;

use crate::agents::Gatherer;
use crate::signals;
use crate::stage::{Log, SOON, Stage, counted};

async fn ask(group: &Group, value: Value) -> Result<Value, CallError> {
    match group.bus().call("rust", &signals::Ask { value }).await {
        Err(Error::Call(error)) => Err(error),
        other => Ok(other.unwrap()),
    }
}

#[actix::test]
async fn what_python_answers_and_what_it_answers_with_null() {
    let Some(stage) = Stage::new("what_python_answers_and_what_it_answers_with_null").await else { return };
    let peer = stage.peer(&["--answer", "ask=first", "--answer", "ask_number=raise"]).await;
    let group = stage.group().start().await.unwrap();

    for value in [json!("текст 🐜\0"), json!(""), json!(7), json!(-1), json!(0), json!(true), json!(false)] {
        assert_eq!(ask(&group, value.clone()).await.unwrap(), value);
    }
    let seen = peer.wait_jsons(1, |line| line["answered"] == "ask", SOON).await;
    assert_eq!(seen[0], json!({"answered": "ask", "sender": "rust", "args": {"value": "текст 🐜\0"}}));

    // microagent answers all that is neither string, integer nor boolean with null.
    for value in [json!(1.5), json!([1]), json!({"a": 1}), json!(null)] {
        let error = ask(&group, value.clone()).await.unwrap_err();
        assert!(matches!(error, CallError::Empty { .. }), "{value}: {error}");
    }
    let error = group.bus().call("rust", &signals::AskNumber { value: json!(1) }).await.unwrap_err();
    assert!(matches!(error, Error::Call(CallError::Empty { .. })), "what raises: {error}");
    let events = group.events();
    assert_eq!((events.count(EventKind::CallAnswered), events.count(EventKind::CallFailed)), (7, 5));
    group.stop().await;
}

#[actix::test]
async fn nobody_and_a_slow_python_are_told_apart() {
    let Some(stage) = Stage::new("nobody_and_a_slow_python_are_told_apart").await else { return };
    let mut limits = Limits::default();
    limits.call_deadline = Duration::from_millis(300);
    let group = stage.group().limits(limits).start().await.unwrap();
    let error = ask(&group, json!(1)).await.unwrap_err();
    assert!(matches!(error, CallError::NobodyListening { .. }), "{error}");

    let _peer = stage.peer(&["--answer", "ask=sleep:0.6"]).await;
    let error = ask(&group, json!(1)).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    counted(&group, EventKind::LateAnswer, 1).await;
    group.stop().await;
}

#[actix::test]
async fn two_python_responders_are_a_first_and_all() {
    let Some(stage) = Stage::new("two_python_responders_are_a_first_and_all").await else { return };
    let (_quick, _slow) = tokio::join!(
        stage.peer(&["--name", "Quick", "--answer", "ask=value:\"quick\""]),
        stage.peer(&["--name", "Slow", "--answer", "ask=sleep:0.5"]),
    );
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Gatherer(1.5, seen.clone())).start().await.unwrap();

    assert_eq!(ask(&group, json!(0)).await.unwrap(), "quick");
    counted(&group, EventKind::DuplicateAnswer, 1).await;

    group.bus().publish("test", &signals::Gather { value: json!(0) }).await.unwrap();
    assert_eq!(log.until(3).await, [json!("quick"), json!(1), json!("end")]);
    assert_eq!(group.events().count(EventKind::DuplicateAnswer), 1);
    group.stop().await;
}

#[actix::test]
async fn two_receivers_of_one_python_agent_are_one_answer() {
    let Some(stage) = Stage::new("two_receivers_of_one_python_agent_are_one_answer").await else { return };
    // The first method returns None, so `first` is the value of the second.
    let peer = stage.peer(&["--listen", "ask", "--answer", "ask=first"]).await;
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Gatherer(0.5, seen.clone())).start().await.unwrap();
    assert_eq!(ask(&group, json!("here")).await.unwrap(), "here");
    peer.wait_json(|line| line["saw"] == "ask", SOON).await;
    group.bus().publish("test", &signals::Gather { value: json!("both") }).await.unwrap();
    assert_eq!(log.until(2).await, [json!("both"), json!("end")]);
    group.stop().await;
}

#[actix::test]
async fn answers_of_both_languages_come_in_one_stream() {
    let Some(stage) = Stage::new("answers_of_both_languages_come_in_one_stream").await else { return };
    let peer = stage.peer(&["--answer", "ask=value:\"Python\""]).await;
    let log = Log::default();
    let seen = log.clone();
    let gather = stage.group().agent(move || Gatherer(1.0, seen.clone())).start().await.unwrap();
    let answer = stage.group().agent(|| crate::agents::Echo).start().await.unwrap();

    gather.bus().publish("test", &signals::Gather { value: json!("Rust") }).await.unwrap();
    let mut lines = log.until(3).await;
    lines[..2].sort_by_key(ToString::to_string);
    assert_eq!(lines, [json!("Python"), json!("Rust"), json!("end")]);

    peer.send(
        &json!({"do": "waiter", "signal": "ask", "sender": "py", "args": {"value": "Rust"}, "count": 2, "for": 10}),
    );
    let done = peer.wait_json(|line| line["did"] == "waiter", SOON).await;
    let mut answers = done["answers"].as_array().cloned().unwrap();
    answers.sort_by_key(ToString::to_string);
    assert_eq!(answers, [json!({"Echo.ask": "Rust"}), json!({"PyAgent.ask": "Python"})]);
    // Python's own call is no call of ours, so its answers are none of our late ones.
    wait::until(SOON, "the request", async || answer.events().count(EventKind::RequestReceived) == 2).await;
    assert_eq!(gather.events().count(EventKind::LateAnswer), 0);
    gather.stop().await;
    answer.stop().await;
}
