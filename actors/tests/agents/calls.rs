use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use formicary_actors::CallError;
use formicary_actors::agent::{Agent, AgentBuilder, Call};
use formicary_actors::events::EventKind;
use formicary_actors::group::AgentOptions;
use formicary_actors::{Error, HandlerError};
use futures_util::FutureExt;

use super::common::*;

on_each! {
    a_call_is_answered_with_a_typed_value,
    nobody_listening_is_told_at_once,
    errors_of_the_answering_handler_come_back_apart,
    a_call_ends_at_its_own_deadline_and_the_late_answer_is_counted,
    all_gathers_an_answer_of_each_instance,
    an_agent_may_call_itself_from_a_read_turn,
    a_call_to_oneself_from_a_write_turn_fails_at_once_and_names_both_handlers,
    ten_thousand_calls_in_flight,
}

struct Answers;

impl Agent for Answers {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("double", async |_: &Self, ask: Ask, ()| -> Result<u64, HandlerError> {
            match ask.n {
                400 => Err("no such number")?,
                500 => panic!("the handler breaks"),
                408 => std::future::pending().await,
                n => Ok(n * 2),
            }
        });
        agent.receiver("nothing", async |_: &Self, _: Tell, ()| {});
    }
}

async fn call(group: &formicary_actors::group::Group, n: u64) -> Result<u64, CallError> {
    match group.bus().call("test", &Ask { n }).await {
        Err(Error::Call(error)) => Err(error),
        other => Ok(other.unwrap()),
    }
}

async fn a_call_is_answered_with_a_typed_value(stage: &Stage) {
    let group = stage.group().agent(|| Answers).start().await.unwrap();
    assert_eq!(call(&group, 21).await.unwrap(), 42);
    group.bus().call("test", &Tell { n: 1 }).await.unwrap();
    assert_eq!(group.events().count(EventKind::CallAnswered), 2);
    group.stop().await;
}

async fn nobody_listening_is_told_at_once(stage: &Stage) {
    let group = stage.group().start().await.unwrap();
    let error = call(&group, 1).await.unwrap_err();
    assert!(matches!(error, CallError::NobodyListening { .. }), "{error}");
    group.stop().await;
}

async fn errors_of_the_answering_handler_come_back_apart(stage: &Stage) {
    let group = stage.group().agent(|| Answers).start().await.unwrap();
    match call(&group, 400).await.unwrap_err() {
        CallError::Remote { handler, kind, message, .. } => {
            assert_eq!((&*handler, &*kind, &*message), ("Answers.double", "error", "no such number"));
        }
        other => panic!("{other}"),
    }
    match call(&group, 500).await.unwrap_err() {
        CallError::Remote { kind, message, .. } => {
            assert_eq!((&*kind, &*message), ("panic", "the handler breaks"));
        }
        other => panic!("{other}"),
    }
    until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == 1).await;
    assert_eq!(call(&group, 1).await.unwrap(), 2);
    group.stop().await;
}

struct Asks(Duration);

impl Agent for Asks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("relay", async |me: &Self, tell: Tell, ask: Call<Ask>| {
            ask.within(me.0).first(&Ask { n: tell.n }).await.map(drop)
        });
    }
}

struct Late;

impl Agent for Late {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("late", async |_: &Self, ask: Ask, ()| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<_, HandlerError>(ask.n)
        });
    }
}

async fn a_call_ends_at_its_own_deadline_and_the_late_answer_is_counted(stage: &Stage) {
    let within = Duration::from_millis(100);
    let group = stage.group().agent(|| Late).agent(move || Asks(within)).start().await.unwrap();
    let error = group.bus().call("test", &Tell { n: 1 }).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 100 ms"), "{error}");
    until(SOON, "the late answer", async || group.events().count(EventKind::LateAnswer) == 1).await;
    group.stop().await;
}

struct Gathers(Log);

impl Agent for Gathers {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("gather", async |me: &Self, tell: Tell, ask: Call<Ask>| -> Result<(), CallError> {
            let mut answers = ask.within(Duration::from_millis(500)).all(&Ask { n: tell.n }).await?;
            while let Some(answer) = answers.next().await {
                me.0.add(answer?.to_string());
            }
            me.0.add("end");
            Ok(())
        });
    }
}

async fn all_gathers_an_answer_of_each_instance(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let three = AgentOptions::new().instances(3.try_into().unwrap());
    let group = stage.group().agent_with(three, || Answers).agent(move || Gathers(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Tell { n: 4 }).await.unwrap();
    until(SOON, "the end of the stream", async || log.count("end") == 1).await;
    assert_eq!(log.lines(), ["8", "8", "8", "end"]);
    group.stop().await;
}

struct Selfish(Log);

impl Agent for Selfish {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| Ok::<_, HandlerError>(ask.n + 1));
        agent.receiver("read", async |me: &Self, ping: Ping, (ask, tell): (Call<Ask>, Call<Tell>)| {
            // A writer waits for this turn while we ask ourselves: without overtaking this would never end.
            let zero = Tell { n: 0 };
            let mut writer = std::pin::pin!(tell.first(&zero));
            drop(writer.as_mut().now_or_never());
            let answer = ask.first(&Ask { n: ping.n }).await?;
            me.0.add(format!("answer {answer}"));
            Ok::<_, CallError>(())
        });
        agent.receiver_mut("write", async |me: &mut Self, _: Tell, ()| me.0.add("written"));
        agent.receiver_mut("stuck", async |me: &mut Self, _: Pong, ask: Call<Ask>| {
            let error = ask.first(&Ask { n: 1 }).await.unwrap_err();
            me.0.add(error.to_string());
        });
    }
}

async fn an_agent_may_call_itself_from_a_read_turn(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Selfish(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the answer", async || log.count("answer 2") == 1).await;
    group.stop().await;
}

async fn a_call_to_oneself_from_a_write_turn_fails_at_once_and_names_both_handlers(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Selfish(seen.clone())).start().await.unwrap();
    let begun = tokio::time::Instant::now();
    group.bus().publish("test", &Pong { n: 1 }).await.unwrap();
    until(SOON, "the error", async || log.lines().len() == 1).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    let error = log.lines().remove(0);
    assert!(error.contains("deadlock") && error.contains("`answer`") && error.contains("`stuck`"), "{error}");
    group.stop().await;
}

struct Gate(Arc<AtomicUsize>);

impl Agent for Gate {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let many = 10_000.try_into().unwrap();
        agent
            .receiver("hold", async |me: &Self, ask: Ask, ()| {
                me.0.fetch_add(1, Ordering::Relaxed);
                while me.0.load(Ordering::Relaxed) < 10_000 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok::<_, HandlerError>(ask.n)
            })
            .concurrency(many)
            .inbox(many);
    }
}

async fn ten_thousand_calls_in_flight(stage: &Stage) {
    let held = Arc::new(AtomicUsize::new(0));
    let mut limits = formicary_actors::Limits::default();
    limits.call_deadline = Duration::from_secs(60);
    let group = stage.group().limits(limits).agent(move || Gate(held.clone())).start().await.unwrap();
    let calls = (0..10_000).map(|n| {
        let bus = group.bus().clone();
        async move { bus.call("test", &Ask { n }).await.unwrap() == n }
    });
    assert!(futures_util::future::join_all(calls).await.into_iter().all(|right| right));
    group.stop().await;
}
