//! Signals both ways.

use formicary::prelude::*;
use formicary::{EventKind, protocol::Prefix};
use serde_json::json;

use crate::agents::Listener;
use crate::signals;
use crate::stage::{Log, SOON, Stage, command};

#[actix::test]
async fn a_signal_passes_both_ways() {
    let Some(stage) = Stage::new("a_signal_passes_both_ways").await else { return };
    let (peer, log) = (stage.peer(&["--listen", "said"]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Listener(seen.clone())).start().await.unwrap();

    command(&peer, json!({"do": "send", "signal": "said", "sender": "py", "args": {"text": "from Python"}})).await;
    let receivers = group.bus().publish("rust", &signals::Said { text: "from Rust".into() }).await.unwrap();
    assert_eq!(receivers, Some(2));

    // Both hear both: a sender hears itself too.
    assert_eq!(log.until(2).await, [json!(["said", "py", "from Python"]), json!(["said", "rust", "from Rust"])]);
    let seen = peer.wait_jsons(2, |line| line["saw"] == "said", SOON).await;
    assert_eq!(seen[0], json!({"saw": "said", "sender": "py", "args": {"text": "from Python"}}));
    assert_eq!(seen[1], json!({"saw": "said", "sender": "rust", "args": {"text": "from Rust"}}));
    assert_eq!(group.events().count(EventKind::BadInput), 0);
    group.stop().await;
    assert_eq!(peer.stop().await, 0);
}

struct Twice(Log);

#[agent]
impl Twice {
    #[receiver]
    async fn one(&self, said: signals::Said) {
        self.0.add(json!(["one", said.text]));
    }

    #[receiver]
    async fn two(&self, said: signals::Said) {
        self.0.add(json!(["two", said.text]));
    }
}

#[actix::test]
async fn two_receivers_of_one_agent_hear_a_python_signal_once_each() {
    let Some(stage) = Stage::new("two_receivers_of_one_agent_hear_a_python_signal_once_each").await else { return };
    let (peer, log) = (stage.peer(&[]).await, Log::default());
    let seen = log.clone();
    let group = stage.group().agent(move || Twice(seen.clone())).start().await.unwrap();
    for text in ["a", "b"] {
        command(&peer, json!({"do": "send", "signal": "said", "sender": "py", "args": {"text": text}})).await;
    }
    let mut lines = log.until(4).await;
    lines.sort_by_key(ToString::to_string);
    assert_eq!(lines, [json!(["one", "a"]), json!(["one", "b"]), json!(["two", "a"]), json!(["two", "b"])]);
    assert_eq!(group.events().count(EventKind::SignalReceived), 2);
    group.stop().await;
}

#[actix::test]
async fn another_prefix_is_another_cluster() {
    let Some(stage) = Stage::new("another_prefix_is_another_cluster").await else { return };
    let (ours, theirs) = tokio::join!(
        stage.peer(&["--prefix", "MYAPP", "--listen", "said", "--answer", "ask=first"]),
        stage.peer(&["--listen", "said", "--answer", "ask=value:\"of the default prefix\""]),
    );
    let (log, other) = (Log::default(), Log::default());
    let (seen, seen_other) = (log.clone(), other.clone());
    let prefix = Prefix::new("MYAPP").unwrap();
    let group = stage.group().prefix(prefix).agent(move || Listener(seen.clone())).start().await.unwrap();
    let default = stage.group().agent(move || Listener(seen_other.clone())).start().await.unwrap();

    group.bus().publish("rust", &signals::Said { text: "1".into() }).await.unwrap();
    command(&ours, json!({"do": "send", "signal": "said", "sender": "py", "args": {"text": "2"}})).await;
    default.bus().publish("rust", &signals::Said { text: "3".into() }).await.unwrap();

    assert_eq!(log.until(2).await, [json!(["said", "rust", "1"]), json!(["said", "py", "2"])]);
    ours.wait_jsons(2, |line| line["saw"] == "said", SOON).await;
    // The third came last, so by now the others would have heard the first two.
    assert_eq!(other.until(1).await, [json!(["said", "rust", "3"])]);
    let heard = theirs.wait_jsons(1, |line| line["saw"] == "said", SOON).await;
    assert_eq!(heard, [json!({"saw": "said", "sender": "rust", "args": {"text": "3"}})]);
    // Calls and their answers stay within it too.
    let answer = group.bus().call("rust", &signals::Ask { value: json!("mine") }).await.unwrap();
    assert_eq!(answer, "mine");
    assert_eq!(log.all().len(), 2);
    group.stop().await;
    default.stop().await;
}
