//! The Python peers, against one another.

use formicary_test_support::python::Peer;
use formicary_test_support::redis::Server;
use formicary_test_support::{require_python, require_redis};
use serde_json::json;

use crate::SOON;

fn ready_for(test: &str) -> bool {
    require_redis(test) && require_python(test)
}

#[tokio::test]
async fn a_signal_passes_between_two_peers() {
    if !ready_for("a_signal_passes_between_two_peers") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let (listener, sender) = tokio::join!(
        Peer::start("peer.py", &["--dsn", &url, "--listen", "user_created"]),
        Peer::start("peer.py", &["--dsn", &url]),
    );
    let args = json!({"user_id": 9_007_199_254_740_993u64, "name": "Zoë ☂"});
    sender.send(&json!({"do": "send", "signal": "user_created", "sender": "rust", "args": args}));
    let seen = listener.wait_json(|line| line["saw"] == "user_created", SOON).await;
    assert_eq!(seen, json!({"saw": "user_created", "sender": "rust", "args": args}));
    assert_eq!(listener.stop().await, 0);
}

#[tokio::test]
async fn a_call_is_answered_by_two_peers() {
    if !ready_for("a_call_is_answered_by_two_peers") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let answer = |name, how| {
        let how = format!("rpc_comments_count={how}");
        let url = url.clone();
        async move { Peer::start("peer.py", &["--dsn", &url, "--name", name, "--answer", &how]).await }
    };
    let (_one, _two, caller) =
        tokio::join!(answer("One", "value:1"), answer("Two", "raise"), Peer::start("peer.py", &["--dsn", &url]));
    caller.send(&json!({
        "do": "waiter", "signal": "rpc_comments_count", "sender": "me", "args": {"user_id": 1}, "count": 2, "for": 10,
    }));
    let done = caller.wait_json(|line| line["did"] == "waiter", SOON).await;
    let mut answers = done["answers"].as_array().cloned().unwrap_or_default();
    answers.sort_by_key(ToString::to_string);
    assert_eq!(answers, [json!({"One.rpc_comments_count": 1}), json!({"Two.rpc_comments_count": null})]);
}

#[tokio::test]
async fn the_three_agents_of_the_demo_work_together() {
    if !ready_for("the_three_agents_of_the_demo_work_together") {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = folder.path().join("outbox");
    let outbox = outbox.to_string_lossy();
    let email = Peer::start("email_agent.py", &["--dsn", &url, "--outbox", &outbox]).await;
    let _comment = Peer::start("comment_agent.py", &["--dsn", &url]).await;
    let user = Peer::start("user_agent.py", &["--dsn", &url, "--rate", "20"]).await;
    user.wait_json(|line| line["answer"]["CommentAgent.rpc_comments_count"].is_u64(), SOON).await;
    for wanted in ["Welcome user", "Comment"] {
        let is_wanted = |text: &serde_json::Value| text.as_str().is_some_and(|text| text.starts_with(wanted));
        email.wait_json(|line| is_wanted(&line["message"]["text"]), SOON).await;
    }
    let mails = std::fs::read_to_string(&*outbox).expect("an outbox");
    let first: serde_json::Value = serde_json::from_str(mails.lines().next().expect("a line")).expect("JSON");
    assert!(first["email"].is_string() && first["attempt"] == 1, "{first}");
}
