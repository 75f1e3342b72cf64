//! What a harness gives to its agent, and what comes back.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Call, Cx, Handle, Publish, Settings};
use formicary_actors::contract::{Counts, Outcome};
use formicary_actors::events::EventKind;
use formicary_actors::testing::{Harness, Received, RecordingBus};
use formicary_actors::{CallError, Error};
use formicary_protocol::{CheckMode, DeadReason};
use serde_json::json;
use tokio::time::Instant;

use super::common::*;

#[actix::test]
async fn a_signal_comes_back_with_what_its_handlers_returned() {
    let worker = worker().start().await.unwrap();
    worker.signal("teller", &Ping { n: 1 }).await.unwrap();
    let error = worker.signal("teller", &Ping { n: 13 }).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), ("error", "unlucky".to_owned()));
    assert_eq!(worker.with(|me| me.seen.clone()).await, ["1 of teller", "13 of teller"]);

    let returned = worker.signal_each("teller", &Pong { n: 5 }).await;
    let returned: Vec<_> = returned.into_iter().map(|(name, value)| (name, value.unwrap())).collect();
    assert_eq!(returned, [("forward".to_owned(), json!(null)), ("count".to_owned(), json!(7))]);
    // Its own signal reaches the agent, as on a real bus.
    worker.idle().await;
    assert_eq!(worker.bus().assert_sent_once::<Ping>(), Ping { n: 5 });
    assert_eq!(worker.with(|me| me.seen.len()).await, 3);

    let bad = worker.signal_raw("teller", "ping", b"{\"n\": -1}").await.remove(0);
    assert_eq!((bad.0.as_str(), bad.1.unwrap_err().kind()), ("hear", "decode"));
    let events = worker.events();
    assert_eq!((events.count(EventKind::SignalReceived), events.count(EventKind::RequestReceived)), (5, 0));
    worker.stop().await;
}

#[actix::test]
async fn a_call_comes_back_as_to_its_caller() {
    let worker = worker().start().await.unwrap();
    assert_eq!(worker.call("teller", &Ask { n: 41 }).await.unwrap(), 42);
    let error = worker.call("teller", &Ask { n: 0 }).await.unwrap_err();
    let CallError::Remote { handler, kind, message, .. } = error else { panic!("{error}") };
    assert_eq!((handler.as_str(), kind.as_str(), message.as_str()), ("Worker.next", "error", "nought"));
    // Neither was a call of the agent's.
    worker.bus().assert_nothing_called();
    assert_eq!(worker.events().count(EventKind::RequestReceived), 2);
    worker.stop().await;
}

#[actix::test]
async fn a_message_comes_back_with_its_outcome_and_its_error() {
    let worker = worker().start().await.unwrap();
    worker.message::<Job>(&Job { n: 1 }).await.assert_acked();
    assert_eq!(worker.message::<Job>(&Job { n: 13 }).await.assert_retried(), "unlucky");
    let put_aside = worker.message::<Job>(&Job { n: 2 }).await;
    assert_eq!(put_aside.assert_dead(DeadReason::Refused), "put aside by its handler");
    let by_hand = worker.message::<Job>(&Job { n: 3 }).await;
    assert_eq!(by_hand.outcome, Outcome::Retry { after: Duration::from_secs(90) });
    assert!(worker.message::<Job>(&Job { n: 4 }).await.assert_retried().contains("no end within"));
    let last = worker.message_as::<Job>(&Job { n: 13 }, Received::new().after("first").attempt(5).id("m-1")).await;
    assert_eq!((last.attempt, last.assert_dead(DeadReason::Exhausted)), (5, "unlucky"));
    let poison = worker.message_raw("jobs", b"junk").await;
    assert!(!poison.assert_dead(DeadReason::Undecodable).is_empty());
    assert_eq!(worker.with(|me| me.seen.last().cloned()).await.unwrap(), "job 13 attempt 5 4");
    // It stands in no queue: nothing comes back, and nothing is left.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(worker.group().broker().inspect("jobs").await.unwrap(), Counts::default());
    let settled: Vec<_> = worker.broker().settled::<Job>().iter().map(|settled| settled.outcome.word()).collect();
    assert_eq!(settled, ["ack", "retry", "dead", "retry", "retry", "dead", "dead"]);
    worker.stop().await;
}

#[actix::test]
async fn a_message_of_the_queue_comes_back_by_itself() {
    let worker = worker().start().await.unwrap();
    worker.broker().put::<Job>(&Job { n: 13 });
    let begun = Instant::now();
    while worker.broker().settled::<Job>().len() < 5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(begun.elapsed() > Duration::from_secs(7), "its back-off");
    let settled = worker.broker().settled::<Job>();
    assert_eq!(settled.iter().map(|settled| settled.attempt).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(settled[4].assert_dead(DeadReason::Exhausted), "unlucky");
    worker.stop().await;
}

#[actix::test]
async fn a_tick_runs_a_timer_now_and_only_then() {
    let worker = worker().start().await.unwrap();
    worker.bus().answer::<Ask>(42);
    let begun = Instant::now();
    worker.tick("refresh").await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(worker.bus().assert_called_once::<Ask>(), Ask { n: 1 });
    assert_eq!(worker.broker().assert_pushed_once::<Job>(), Job { n: 42 });
    worker.bus().fail_call::<Ask>(CallError::NobodyListening { signal: "ask".to_owned() });
    assert_eq!(worker.tick("refresh").await.unwrap_err().to_string(), "`ask`: nobody listens");
    assert_eq!(worker.tick("report").await.unwrap_err().to_string(), "nothing to report");
    tokio::time::sleep(Duration::from_secs(100_000)).await;
    worker.bus().assert_called_times::<Ask>(2);
    worker.stop().await;
}

struct Clockwork;

impl Agent for Clockwork {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.periodic("chime", Duration::from_secs(60), async |_: &Self, pings: Publish<Ping>| {
            pings.send(&Ping { n: 1 }).await.map(drop)
        });
    }
}

#[actix::test]
async fn timers_run_by_the_clock_when_asked_for() {
    tokio::time::pause();
    let clockwork = Harness::of(|| Clockwork).declarations(declarations()).timers(true).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(150)).await;
    clockwork.bus().assert_sent_times::<Ping>(3);
    clockwork.stop().await;
}

#[actix::test]
async fn what_the_agent_does_not_know_is_told_with_what_it_knows() {
    let worker = worker().start().await.unwrap();
    let text = panic_of(worker.tick("refesh")).await;
    assert!(
        text.starts_with("there is no periodic or cron handler `refesh`: there are `refresh` every 15s, "),
        "{text}"
    );
    assert!(
        text.contains("`explode` every 3600s, `report` by cron\n(asked for at ") && text.contains("harness.rs:"),
        "{text}"
    );
    let text = panic_of(worker.signal("teller", &Tell { n: 1 })).await;
    assert!(text.starts_with("the agent does not receive `tell`; it receives `ask`, `ping`, `pong`\n"), "{text}");
    let text = panic_of(worker.message_raw("mailer", b"{}")).await;
    assert!(text.starts_with("the agent does not consume `mailer`; it consumes `jobs`\n"), "{text}");
    let text = panic_of(worker.signal("a:b", &Ping { n: 1 })).await;
    assert!(text.contains("a:b"), "{text}");
    let settled = worker.message::<Job>(&Job { n: 13 }).await;
    let text = panic_in(|| settled.assert_acked());
    assert!(text.starts_with("expected the message of `jobs` to be acknowledged; it was retried after "), "{text}");
    assert!(text.ends_with(" at attempt 1: unlucky"), "{text}");
    worker.stop().await;
}

/// Hooks, settings and a server: all that surrounds handlers.
struct Surrounded;

impl Agent for Surrounded {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("setup", async |_: &mut Self, (settings, pings): (Settings<Own>, Call<Ask>)| {
            pings.first(&Ask { n: settings.n }).await.map(drop)
        });
        agent.server("serve", async |_: Handle<Self>, cx: Cx| cx.stopping().await);
        agent.pre_stop("farewell", async |_: &mut Self, pongs: Publish<Pong>| {
            pongs.send(&Pong { n: 9 }).await.map(drop)
        });
    }
}

#[derive(serde::Deserialize)]
struct Own {
    n: u64,
}

#[actix::test]
async fn the_agent_starts_and_stops_as_ever() {
    tokio::time::pause();
    let bus = RecordingBus::new();
    bus.answer::<Ask>(1);
    let harness = Harness::of(|| Surrounded).declarations(declarations()).settings(json!({"n": 4})).bus(bus.clone());
    let harness = harness.group(|group| group.check(CheckMode::Reject)).start().await.unwrap();
    assert_eq!(bus.assert_called_once::<Ask>(), Ask { n: 4 });
    bus.assert_nothing_sent();
    assert_eq!(harness.stop().await.code(), 0);
    assert_eq!(bus.assert_sent_once::<Pong>(), Pong { n: 9 });

    let refused = Harness::of(|| Surrounded).declarations(declarations()).settings(json!({"m": 4})).start().await;
    assert!(matches!(refused.unwrap_err(), Error::Misfit { .. }));
    let bus = RecordingBus::new();
    bus.fail_call::<Ask>(CallError::NobodyListening { signal: "ask".to_owned() });
    let refused = Harness::of(|| Surrounded).declarations(declarations()).settings(json!({"n": 4})).bus(bus).start();
    assert!(refused.await.unwrap_err().to_string().contains("`setup` failed: `ask`: nobody listens"));
}

#[actix::test]
async fn one_run_is_like_the_other() {
    async fn run() -> (String, String) {
        let worker = another_worker().start().await.unwrap();
        let settled = worker.message::<Job>(&Job { n: 13 }).await;
        let now = worker.group().env().clock.now().to_string();
        worker.stop().await;
        (settled.to_string(), now)
    }
    tokio::time::pause();
    let (settled, now) = run().await;
    assert_eq!((settled, now.clone()), run().await);
    assert!(now.starts_with("2000-01-01 00:00:00"), "{now}");
}
