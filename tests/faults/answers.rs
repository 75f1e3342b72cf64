//! Answers that nobody waits for any more.

use std::time::Duration;

use formicary::prelude::*;
use formicary::{CallError, Error, EventKind, Limits};

use crate::common::*;

on_both! {
    the_second_answer_is_counted_as_a_duplicate,
    an_answer_after_the_deadline_is_counted_as_late,
}

struct Answers(Duration);

impl Agent for Answers {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("answer", async |me: &Self, ask: Ask, ()| {
            tokio::time::sleep(me.0).await;
            Ok::<_, Error>(ask.n)
        });
    }
}

/// With two responders the first answer is taken; the other one is counted as a duplicate, and only by who has called.
async fn the_second_answer_is_counted_as_a_duplicate(stage: &Stage) {
    let one = stage.group().agent(|| Answers(Duration::ZERO)).start().await.unwrap();
    let two = stage.group().agent(|| Answers(Duration::ZERO)).start().await.unwrap();
    let caller = stage.group().start().await.unwrap();
    for n in 1..=10 {
        assert_eq!(caller.bus().call("test", &Ask { n }).await.unwrap(), n);
        let other = async || caller.events().count(EventKind::DuplicateAnswer) == n;
        until(SOON, "the other answer", other).await;
    }
    assert_eq!(caller.events().count(EventKind::LateAnswer), 0);
    assert_eq!(caller.events().count(EventKind::CallAnswered), 10);
    for bystander in [&one, &two] {
        assert_eq!(bystander.events().count(EventKind::DuplicateAnswer), 0);
    }
    for group in [one, two, caller] {
        group.stop().await;
    }
}

/// A call ends at its deadline; the answers that come later are dropped, and each is counted as late.
async fn an_answer_after_the_deadline_is_counted_as_late(stage: &Stage) {
    let slow = Duration::from_millis(400);
    let one = stage.group().agent(move || Answers(slow)).start().await.unwrap();
    let two = stage.group().agent(move || Answers(slow)).start().await.unwrap();
    let mut limits = Limits::default();
    limits.call_deadline = Duration::from_millis(100);
    let caller = stage.group().limits(limits).start().await.unwrap();
    match caller.bus().call("test", &Ask { n: 1 }).await.unwrap_err() {
        Error::Call(CallError::Timeout { .. }) => {}
        other => panic!("{other}"),
    }
    until(SOON, "both answers", async || caller.events().count(EventKind::LateAnswer) == 2).await;
    assert_eq!(caller.events().count(EventKind::DuplicateAnswer), 0);
    for group in [one, two, caller] {
        group.stop().await;
    }
}
