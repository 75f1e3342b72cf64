use formicary_actors::agent::{Agent, AgentBuilder, AnySignal};
use formicary_actors::events::EventKind;
use formicary_protocol::{CheckMode, Value};
use serde_json::json;

use super::common::*;

on_each! {
    warn_counts_and_delivers,
    reject_counts_and_refuses_with_the_path,
    off_looks_at_nothing,
}

struct Takes(Log);

impl Agent for Takes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("typed", async |me: &Self, ping: Ping, ()| me.0.add(format!("ping {}", ping.n)));
        agent.receiver_of(&["as?"], "value", async |me: &Self, ask: AnySignal, ()| {
            me.0.add(format!("ask {}", ask.arguments));
        });
        agent.consumer::<Job, _, _, _, _>("job", async |me: &Self, job: Value, ()| me.0.add(format!("job {job}")));
    }
}

const EXTRA: &[u8] = b"{\"n\": 1, \"extra\": 2}";
const WRONG: &[u8] = b"{\"n\": true}";

async fn feed(stage: &Stage, mode: CheckMode) -> (Log, formicary_actors::group::Group) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().check(mode).agent(move || Takes(seen.clone())).start().await.unwrap();
    stage.publish_raw(b"PUBSUB:ping:test", EXTRA).await;
    stage.publish_raw(b"PUBSUB:ask:test", WRONG).await;
    stage.push_raw("jobs", WRONG).await;
    (log, group)
}

async fn warn_counts_and_delivers(stage: &Stage) {
    let (log, group) = feed(stage, CheckMode::Warn).await;
    until(SOON, "all three", async || log.lines().len() == 3).await;
    assert_eq!(group.events().count(EventKind::Mismatched), 3);
    group.bus().dynamic("test", "ask", &json!({"n": true})).await.unwrap();
    until(SOON, "the fourth", async || log.lines().len() == 4).await;
    assert_eq!(group.events().count(EventKind::Mismatched), 5, "once on sending, once on receiving");
    group.stop().await;
}

async fn reject_counts_and_refuses_with_the_path(stage: &Stage) {
    let (log, group) = feed(stage, CheckMode::Reject).await;
    until(SOON, "two refusals", async || group.events().count(EventKind::BadInput) == 3).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    let error = group.bus().dynamic("test", "ask", &json!({"n": true})).await.unwrap_err().to_string();
    assert!(error.contains("n: expected") && error.contains("boolean"), "{error}");
    let error = group.broker().dynamic("jobs", &json!({"n": "x"})).await.unwrap_err().to_string();
    assert!(error.contains("n: expected"), "{error}");
    assert_eq!(log.lines(), Vec::<String>::new());
    group.stop().await;
}

async fn off_looks_at_nothing(stage: &Stage) {
    let (log, group) = feed(stage, CheckMode::Off).await;
    until(SOON, "all three", async || log.lines().len() == 3).await;
    assert_eq!(group.events().count(EventKind::Mismatched), 0);
    group.stop().await;
}
