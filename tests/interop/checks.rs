//! Arguments that are not declared, or are missing.

use formicary::{CheckMode, EventKind};
use serde_json::json;

use crate::agents::Listener;
use crate::stage::{Log, SOON, Stage, command, counted};

#[actix::test]
async fn undeclared_arguments_of_python_are_counted_or_refused() {
    let Some(stage) = Stage::new("undeclared_arguments_of_python_are_counted_or_refused").await else { return };
    let peer = stage.peer(&[]).await;
    let logs = [Log::default(), Log::default(), Log::default()];
    let mut groups = Vec::new();
    for (mode, log) in [CheckMode::Off, CheckMode::Warn, CheckMode::Reject].into_iter().zip(logs.clone()) {
        groups.push(stage.group().check(mode).agent(move || Listener(log.clone())).start().await.unwrap());
    }
    for args in [json!({"text": "more", "other": 1}), json!({}), json!({"text": 5}), json!({"text": "good"})] {
        command(&peer, json!({"do": "send", "signal": "said", "sender": "py", "args": args})).await;
    }
    let (more, good) = (json!(["said", "py", "more"]), json!(["said", "py", "good"]));
    assert_eq!(logs[0].until(2).await, [more.clone(), good.clone()]);
    assert_eq!(logs[1].until(2).await, [more, good.clone()]);
    assert_eq!(logs[2].until(1).await, [good]);
    // A missing argument and a wrong type never decode.
    for (group, (mismatched, bad)) in groups.into_iter().zip([(0, 2), (1, 2), (0, 3)]) {
        counted(&group, EventKind::Mismatched, mismatched).await;
        counted(&group, EventKind::BadInput, bad).await;
        group.stop().await;
    }
}

#[actix::test]
async fn undeclared_arguments_of_ours_go_to_python_unless_refused() {
    let Some(stage) = Stage::new("undeclared_arguments_of_ours_go_to_python_unless_refused").await else { return };
    let peer = stage.peer(&["--listen", "said"]).await;
    let warn = stage.group().start().await.unwrap();
    let reject = stage.group().check(CheckMode::Reject).start().await.unwrap();
    let args = json!({"text": "x", "other": 1});
    let error = reject.bus().dynamic("rust", "said", &args).await.unwrap_err();
    assert!(error.to_string().contains("other"), "{error}");
    warn.bus().dynamic("rust", "said", &args).await.unwrap();
    // Python hears it, and warns too.
    let seen = peer.wait_jsons(1, |line| line["saw"] == "said", SOON).await;
    assert_eq!(seen, [json!({"saw": "said", "sender": "rust", "args": args})]);
    peer.process().wait_stderr(|line| line.contains("mismatch arguments") && line.contains("other"), SOON).await;
    assert_eq!(warn.events().count(EventKind::Mismatched), 1);
    warn.stop().await;
    reject.stop().await;
}
