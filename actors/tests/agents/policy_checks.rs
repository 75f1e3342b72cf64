//! A policy that cannot be kept is refused when the agent starts.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Exhausted, Outbox, RetryContext};
use formicary_actors::broker::MemoryBroker;
use formicary_actors::bus::MemoryBus;
use formicary_actors::group::AgentOptions;

use super::common::*;

struct Wrong;

impl Agent for Wrong {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| {})
            .by(|done: &Done| done.n)
            .dedup_by(Duration::ZERO, |n: &u64| *n);
        agent.consumer::<Done, _, _, _, _>("done", async |_: &Self, _: Done, _: Exhausted| {});
        agent.receiver("hear", async |_: &Self, _: Ping, _: (Outbox<Done>, RetryContext)| {});
        agent.on_exhausted::<Job, _, _, _, _>("first", async |_: &Self, _: Job, _: RetryContext| {});
        agent.on_exhausted::<Job, _, _, _, _>("second", async |_: &Self, _: Job, _: Outbox<Done>| {});
    }
}

struct Nobody;

impl Agent for Nobody {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.on_exhausted::<Job, _, _, _, _>("give_up", async |_: &Self, _: Job, ()| {});
    }
}

#[actix::test]
async fn a_policy_that_does_not_fit_is_refused_with_every_problem() {
    let stage = Stage::memory();
    let error = stage.group().agent(|| Wrong).start().await.map(drop).unwrap_err().to_string();
    for part in [
        "`work`: the key of `by` is read from a `formicary_test_support::cast::Done`, and its messages are",
        "`work`: the key of `dedup` is read from a `u64`, and its messages are",
        "`work`: the window of `dedup` is 0",
        "`done` asks for `Exhausted`, which only a handler of `on_exhausted` has",
        "`hear` asks for `Outbox`, which only a consumer has: use `Push`",
        "`hear` asks for `RetryContext`, which only a consumer has",
        "`first` and `second` take what is given up of the queue `jobs`: there is one",
        "`second` asks for `Outbox`, which only a consumer has: use `Push`",
    ] {
        assert!(error.contains(part), "{part} is missing in:\n{error}");
    }
    assert!(!error.contains("`first` asks"), "{error}");
    let error = stage.group().agent(|| Nobody).start().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("`give_up` takes what a consumer of `jobs` gives up, but the agent has no such consumer"));
}

struct ById;

impl Agent for ById {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| {}).dedup(Duration::from_secs(60));
    }
}

#[actix::test]
async fn dedup_by_an_id_that_no_message_has_is_refused_with_the_cure() {
    let stage = Stage::memory();
    let error = stage.group().agent(|| ById).start().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("dedup(window, by ="), "{error}");
}

struct Produces;

impl Agent for Produces {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, _: Outbox<Done>| {});
    }
}

#[actix::test]
async fn an_outbox_to_a_queue_of_another_broker_is_refused() {
    let stage = Stage::memory();
    let others = Stage::Memory { bus: MemoryBus::new(), broker: MemoryBroker::new() };
    let others = others.group().start().await.unwrap();
    let options = AgentOptions::new().queue_on("done", others.broker().clone());
    let error = stage.group().agent_with(options, || Produces).start().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("`work` has an outbox to `done`, which another broker carries than `jobs`"), "{error}");
    others.stop().await;
    stage.group().agent(|| Produces).start().await.unwrap().stop().await;
}
