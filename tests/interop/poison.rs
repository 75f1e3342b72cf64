//! What kills a Python listener: never sent by us, and survived by us.

use formicary::{AgentOptions, Error, EventKind, Value};
use formicary_test_support::wait;
use serde_json::json;

use crate::agents::Listener;
use crate::signals;
use crate::stage::{Log, SOON, Stage, command};

const SENDERS: [&str; 5] = ["a:b", "a#b", ":", "#", ""];

#[actix::test]
async fn what_kills_a_python_listener_is_refused_on_sending() {
    let Some(stage) = Stage::new("what_kills_a_python_listener_is_refused_on_sending").await else { return };
    let peer = stage.peer(&["--listen", "said", "--answer", "ask=value:1"]).await;
    let group = stage.group().start().await.unwrap();
    let said = signals::Said { text: "x".into() };
    let mut refused: Vec<Error> = Vec::new();
    for sender in SENDERS {
        refused.push(group.bus().publish(sender, &said).await.unwrap_err());
        refused.push(group.bus().dynamic(sender, "said", &json!({"text": "x"})).await.unwrap_err());
        refused.push(group.bus().call(sender, &signals::Ask { value: json!(1) }).await.unwrap_err());
    }
    for sender in ["a:b", "a#b"] {
        let options = AgentOptions::new().name(sender);
        refused.push(group.spawn_with(options, || Listener(Log::default())).await.unwrap_err());
    }
    for error in refused {
        assert!(error.to_string().contains("sender"), "{error}");
    }
    // Nothing of it was sent: the listener lives.
    group.bus().publish("good", &said).await.unwrap();
    let seen = peer.wait_jsons(1, |line| line["saw"] == "said", SOON).await;
    assert_eq!(seen, [json!({"saw": "said", "sender": "good", "args": {"text": "x"}})]);
    group.bus().call("good", &signals::Ask { value: json!(1) }).await.unwrap();
    assert_eq!(peer.wait_jsons(1, |line| line["answered"] == "ask", SOON).await.len(), 1);
    group.stop().await;
}

/// Python's reader gives up at about 1,000, with an error that microagent does not catch; ours at 128.
#[actix::test]
async fn what_is_nested_too_deep_is_refused_on_sending() {
    let Some(stage) = Stage::new("what_is_nested_too_deep_is_refused_on_sending").await else { return };
    let peer = stage.peer(&["--listen", "shown"]).await;
    let group = stage.group().start().await.unwrap();
    let deep = (0..1_200).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let typed = group.bus().publish("rust", &signals::Shown { value: deep.clone() }).await;
    let dynamic = group.bus().dynamic("rust", "shown", &json!({"value": deep})).await;
    group.bus().publish("rust", &signals::Shown { value: json!([[[1]]]) }).await.unwrap();
    peer.wait_json(|line| line["saw"] == "shown", SOON).await;
    typed.unwrap_err();
    dynamic.unwrap_err();
    group.stop().await;
}

#[actix::test]
async fn it_would_have_killed_the_python_listener() {
    let Some(stage) = Stage::new("it_would_have_killed_the_python_listener").await else { return };
    let deep = [b"{\"n\": ".to_vec(), vec![b'['; 2_000], vec![b']'; 2_000], b"}".to_vec()].concat();
    let poisons: [(&str, &[u8], &[u8]); 4] = [
        ("said", b"PUBSUB:said:a:b", b"{\"text\": \"x\"}"),
        ("counted", b"PUBSUB:counted:a#b#c", b"{\"n\": 1}"),
        ("shown", b"PUBSUB:shown:a", b"{\"value\": \"\xff\"}"),
        ("measured", b"PUBSUB:measured:a", &deep),
    ];
    let listen = poisons.iter().flat_map(|(signal, ..)| ["--listen", signal]).collect::<Vec<_>>();
    let (peer, log) = (stage.peer(&listen).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();
    for (signal, channel, body) in poisons {
        let pattern = format!("PUBSUB:{signal}:sane");
        assert_eq!(stage.publish(pattern.as_bytes(), b"[]").await, 2, "Python and Rust");
        stage.publish(channel, body).await;
        wait::until(SOON, format!("the end of Python's listener to {signal}"), async || {
            match stage.publish(pattern.as_bytes(), b"[]").await {
                1 => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }
    // Ours still listens to all of them.
    command(&peer, json!({"do": "send", "signal": "said", "sender": "py", "args": {"text": "good"}})).await;
    wait::until(SOON, "the good one", async || log.all().contains(&json!(["said", "py", "good"]))).await;
    group.stop().await;
}

#[actix::test]
async fn what_kills_a_python_listener_is_survived_on_receiving() {
    let Some(stage) = Stage::new("what_kills_a_python_listener_is_survived_on_receiving").await else { return };
    let (peer, log) = (stage.peer(&[]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();
    let good = br#"{"text": "x"}"#;
    // Read leniently: who sends so is heard.
    stage.publish(b"PUBSUB:said:a:b", good).await;
    stage.publish(b"PUBSUB:said:a#b#c1", good).await;
    assert_eq!(log.until(2).await, [json!(["said", "a:b", "x"]), json!(["said", "a#b", "x"])]);
    let deep = [b"{\"text\": ".to_vec(), vec![b'['; 200_000]].concat();
    let bad: [(&[u8], &[u8]); 7] = [
        (b"PUBSUB:said:", good),
        (b"PUBSUB:said:a#", good),
        (b"PUBSUB:response:x", b"{}"),
        (b"PUBSUB:said:a", b"{\"text\": \"\xff\xfe\"}"),
        (b"PUBSUB:said:a", b""),
        (b"PUBSUB:said:a", b"[\"x\"]"),
        (b"PUBSUB:said:a", &deep),
    ];
    for (n, (channel, body)) in bad.into_iter().enumerate() {
        assert!(stage.publish(channel, body).await > 0, "{}", String::from_utf8_lossy(channel));
        let what = format!("{} to be counted", String::from_utf8_lossy(channel));
        wait::until(SOON, what, async || group.events().count(EventKind::BadInput) == n as u64 + 1).await;
    }
    // The driver drops a channel that is not UTF-8 before anything of ours could count it.
    assert_eq!(stage.publish(b"PUBSUB:said:\xff", good).await, 1);
    command(&peer, json!({"do": "send", "signal": "said", "sender": "py", "args": {"text": "good"}})).await;
    assert_eq!(log.until(3).await[2], json!(["said", "py", "good"]));
    assert_eq!(group.events().count(EventKind::BadInput), bad.len() as u64);
    assert_eq!(group.events().count(EventKind::Crashed), 0);
    group.stop().await;
}
