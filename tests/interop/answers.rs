//! Python calls, Rust answers.

use std::num::NonZeroUsize;

use formicary::prelude::*;
use formicary::{AgentOptions, EventKind};
use formicary_test_support::python::Peer;
use formicary_test_support::wait;
use serde_json::json;

use crate::agents::Echo;
use crate::signals;
use crate::stage::{SOON, Stage, command, counted};

async fn call(peer: &Peer, value: &Value) -> Value {
    let done = command(peer, json!({"do": "call", "signal": "ask", "sender": "py", "args": {"value": value}})).await;
    done["answer"].clone()
}

async fn gather(peer: &Peer, count: usize, seconds: u32) -> Vec<Value> {
    let args = json!({"value": "x"});
    let waiter = json!({"do": "waiter", "signal": "ask", "sender": "py", "args": args, "count": count, "for": seconds});
    let done = command(peer, waiter).await;
    let mut answers = done["answers"].as_array().cloned().unwrap();
    answers.sort_by_key(ToString::to_string);
    answers
}

#[actix::test]
async fn python_takes_any_value_of_ours() {
    let Some(stage) = Stage::new("python_takes_any_value_of_ours").await else { return };
    let peer = stage.peer(&[]).await;
    let group = stage.group().agent(|| Echo).start().await.unwrap();
    let values = [
        json!("Zoë ☂ 🐜\0\u{2028}"),
        json!(1.5),
        json!(1e300),
        json!(-0.1),
        json!(true),
        json!(null),
        json!([1, [2, {}], "x"]),
        json!({"ключ": {"a": [null]}, "": 0}),
    ];
    for value in values {
        assert_eq!(call(&peer, &value).await, json!({"Echo.ask": value}));
    }
    assert_eq!(group.events().count(EventKind::RequestReceived), 8);
    group.stop().await;
}

struct Fails;

#[agent]
impl Fails {
    #[receiver]
    async fn ask(&self, ask: signals::Ask) -> Result<u64> {
        match ask.value.as_str() {
            Some("error") => Err("told to fail")?,
            Some("panic") => panic!("told to panic"),
            _ => Ok(1),
        }
    }
}

#[actix::test]
async fn python_sees_null_where_a_handler_of_ours_fails() {
    let Some(stage) = Stage::new("python_sees_null_where_a_handler_of_ours_fails").await else { return };
    let peer = stage.peer(&[]).await;
    let group = stage.group().agent(|| Fails).start().await.unwrap();
    let mut observer = stage.server.connect().await.unwrap();
    observer.command(&["PSUBSCRIBE", "PUBSUB:response*"]).await.unwrap();

    for value in ["error", "panic"] {
        assert_eq!(call(&peer, &json!(value)).await, json!({"Fails.ask": null}), "{value}");
        // Before it came the reason, where Python does not listen.
        let mut channels = Vec::new();
        for _ in 0..2 {
            let message = tokio::time::timeout(SOON, observer.read()).await.unwrap().unwrap();
            channels.push((message.array()[2].text().unwrap(), message.array()[3].text().unwrap()));
        }
        assert!(channels[0].0.starts_with("PUBSUB:response_error:"), "{channels:?}");
        let said: Value = serde_json::from_str(&channels[0].1).unwrap();
        assert_eq!(said["Fails.ask"]["kind"], value);
        assert_eq!(said["Fails.ask"]["message"], format!("told to {}", if value == "error" { "fail" } else { value }));
        assert_eq!(channels[0].0.replace("response_error", "response"), channels[1].0);
    }
    counted(&group, EventKind::Restarted, 1).await;
    assert_eq!(call(&peer, &json!("work")).await, json!({"Fails.ask": 1}));
    assert!(!peer.process().stderr().contains("Traceback"), "{}", peer.process().stderr());
    group.stop().await;
}

#[actix::test]
async fn two_agents_of_ours_answer_python_each_for_itself() {
    let Some(stage) = Stage::new("two_agents_of_ours_answer_python_each_for_itself").await else { return };
    let peer = stage.peer(&[]).await;
    let two = AgentOptions::new().instances(NonZeroUsize::new(2).unwrap());
    let group = stage.group().agent_with(two, || Echo).start().await.unwrap();
    assert_eq!(gather(&peer, 2, 10).await, [json!({"Echo.ask": "x"}), json!({"Echo.ask": "x"})]);
    assert_eq!(call(&peer, &json!("first")).await, json!({"Echo.ask": "first"}));

    let third = stage.group().agent(|| Fails).start().await.unwrap();
    let answers = gather(&peer, 3, 10).await;
    assert_eq!(answers, [json!({"Echo.ask": "x"}), json!({"Echo.ask": "x"}), json!({"Fails.ask": 1})]);
    group.stop().await;
    third.stop().await;
}

struct Both;

#[agent]
impl Both {
    #[receiver]
    async fn one(&self, _: signals::Ask) -> Result<u64> {
        Ok(1)
    }

    #[receiver]
    async fn two(&self, _: signals::Ask) -> Result<String> {
        Ok("two".to_owned())
    }

    #[receiver]
    async fn three(&self, _: signals::Ask) -> Result {
        Err("no third")?
    }
}

#[actix::test]
async fn receivers_of_one_agent_answer_python_together() {
    let Some(stage) = Stage::new("receivers_of_one_agent_answer_python_together").await else { return };
    let peer = stage.peer(&[]).await;
    let group = stage.group().agent(|| Both).start().await.unwrap();
    // Two are waited for, a second long: there is one, which holds all three.
    assert_eq!(gather(&peer, 2, 1).await, [json!({"Both.one": 1, "Both.two": "two", "Both.three": null})]);
    wait::until(SOON, "the three handlers", async || {
        let events = group.events();
        (events.count(EventKind::Handled), events.count(EventKind::Failed)) == (2, 1)
    })
    .await;
    group.stop().await;
}
