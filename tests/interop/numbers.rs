//! Large integers, and numbers that JSON does not have.

use formicary::prelude::*;
use formicary::{CallError, Error, EventKind};
use serde_json::json;

use crate::agents::{Echo, Listener};
use crate::signals;
use crate::stage::{Log, SOON, Stage, command, command_line, counted};

/// 2⁵³ + 1 is the first integer that a float cannot hold.
const LARGE: [u64; 3] = [u64::MAX, 9_007_199_254_740_993, 9_223_372_036_854_775_809];
const LOW: [i64; 2] = [i64::MIN, -9_007_199_254_740_993];

#[actix::test]
async fn integers_of_64_bits_are_exact_both_ways() {
    let Some(stage) = Stage::new("integers_of_64_bits_are_exact_both_ways").await else { return };
    let listen = ["--listen", "counted", "--listen", "lowered", "--answer", "ask_number=big"];
    let (peer, log) = (stage.peer(&listen).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).agent(|| Echo).start().await.unwrap();

    for n in LARGE {
        group.bus().publish("rust", &signals::Counted { n }).await.unwrap();
        command(&peer, json!({"do": "send", "signal": "counted", "sender": "py", "args": {"n": n}})).await;
        let answer = command(&peer, json!({"do": "call", "signal": "ask", "sender": "py", "args": {"value": n}})).await;
        assert_eq!(answer["answer"], json!({"Echo.ask": n}));
    }
    for n in LOW {
        group.bus().publish("rust", &signals::Lowered { n }).await.unwrap();
        command(&peer, json!({"do": "send", "signal": "lowered", "sender": "py", "args": {"n": n}})).await;
    }
    let answer = group.bus().call("rust", &signals::AskNumber { value: json!(0) }).await.unwrap();
    assert_eq!(answer, u64::MAX);

    let numbers: Vec<Value> = LARGE.map(|n| json!(n)).into_iter().chain(LOW.map(|n| json!(n))).collect();
    let heard: Vec<Value> = log.until(10).await.into_iter().map(|line| line[2].clone()).collect();
    let seen = peer.wait_jsons(10, |line| line.get("saw").is_some(), SOON).await;
    for n in numbers {
        assert_eq!(heard.iter().filter(|one| **one == n).count(), 2, "{n} in {heard:?}");
        assert_eq!(seen.iter().filter(|line| line["args"]["n"] == n).count(), 2, "{n} in {seen:?}");
    }
    group.stop().await;
}

#[actix::test]
async fn an_integer_beyond_64_bits_is_a_float_and_no_integer() {
    let Some(stage) = Stage::new("an_integer_beyond_64_bits_is_a_float_and_no_integer").await else { return };
    let answers = ["--answer", "ask=bigger", "--answer", "ask_number=bigger"];
    let (peer, log) = (stage.peer(&answers).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();
    for signal in ["measured", "shown", "counted"] {
        let name = if signal == "shown" { "value" } else { "n" };
        let line =
            format!(r#"{{"do": "send", "signal": "{signal}", "sender": "py", "args": {{"{name}": {}}}}}"#, 1u128 << 70);
        command_line(&peer, &line).await;
    }
    command(&peer, json!({"do": "send", "signal": "counted", "sender": "py", "args": {"n": 7}})).await;

    let float = json!(2f64.powi(70));
    let mut lines = log.until(3).await;
    lines.sort_by_key(ToString::to_string);
    assert_eq!(lines, [json!(["counted", "py", 7]), json!(["measured", "py", float]), json!(["shown", "py", float])]);
    counted(&group, EventKind::BadInput, 1).await;

    assert_eq!(group.bus().call("rust", &signals::Ask { value: json!(0) }).await.unwrap(), float);
    let error = group.bus().call("rust", &signals::AskNumber { value: json!(0) }).await.unwrap_err();
    assert!(matches!(error, Error::Call(CallError::Decode { .. })), "{error}");
    group.stop().await;
}

#[actix::test]
async fn nan_and_infinity_from_python_are_null_and_counted() {
    let Some(stage) = Stage::new("nan_and_infinity_from_python_are_null_and_counted").await else { return };
    let (peer, log) = (stage.peer(&[]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();
    let value = r#"{"nan": NaN, "list": [Infinity, -Infinity, 1.5], "text": "NaN Infinity"}"#;
    command_line(
        &peer,
        &format!(r#"{{"do": "send", "signal": "shown", "sender": "py", "args": {{"value": {value}}}}}"#),
    )
    .await;
    let repaired = json!({"nan": null, "list": [null, null, 1.5], "text": "NaN Infinity"});
    assert_eq!(log.until(1).await, [json!(["shown", "py", repaired])]);
    counted(&group, EventKind::Repaired, 1).await;
    assert_eq!(group.events().count(EventKind::BadInput), 0);

    // What must be a number is not there then.
    command_line(&peer, r#"{"do": "send", "signal": "counted", "sender": "py", "args": {"n": NaN}}"#).await;
    command(&peer, json!({"do": "send", "signal": "counted", "sender": "py", "args": {"n": 1}})).await;
    assert_eq!(log.until(2).await[1], json!(["counted", "py", 1]));
    counted(&group, EventKind::BadInput, 1).await;
    group.stop().await;
}
