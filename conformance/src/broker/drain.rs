//! Stops, and consumers that are slow.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use serde_json::json;
use tokio::time::Instant;

use super::cast::{Job, Ledger};
pub(crate) use super::memory::what_waits_for_a_slow_consumer_costs_it_no_memory;
use super::stage::{Stage, slack};
use super::taker::{SOON, Taker, many, number};
use crate::left_out::Verdict;
use crate::wait::until;

const JOBS: u64 = 300;

/// Takes its time for each job.
struct Slow(Ledger, Duration);

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let work = async |me: &Self, job: Job, ()| {
            tokio::time::sleep(me.1).await;
            me.0.add(job.n);
        };
        agent.consumer::<Job, _, _, _, _>("work", work).concurrency(many(16));
    }
}

async fn stopped(stage: &Stage, each: Duration, deadline: Duration) -> (Ledger, Duration) {
    let ledger = Ledger::default();
    let look = stage.broker();
    for n in 0..JOBS {
        look.send::<Job>(&Job { n }).await.unwrap();
    }
    let book = ledger.clone();
    let group = stage.group().agent(move || Slow(book.clone(), each)).start().await.unwrap();
    let events = group.events().clone();
    until(SOON, "work", async || group.load().running == 16).await;
    let begun = Instant::now();
    let exit = group.stop_within(deadline).await;
    let took = begun.elapsed();
    assert_eq!((exit.code(), events.count(EventKind::DeadLettered)), (0, 0));
    until(SOON, "everything to be back", async || look.inspect("jobs").await.unwrap().in_flight == 0).await;
    let left = look.inspect("jobs").await.unwrap();
    let told = (left.left() + ledger.len() as u64, left.dead);
    let late = events.count(EventKind::LateSettlement);
    assert_eq!(told, (JOBS, 0), "handled and left, together, and dead; {late} settlements were late");
    (ledger, took)
}

/// A stop lets what is running finish, gives back the rest, and buries nothing.
pub(crate) async fn a_stop_finishes_what_runs_and_returns_the_rest(stage: &mut Stage) -> Verdict {
    let (ledger, took) = stopped(stage, Duration::from_millis(300), SOON).await;
    let (handled, duplicates) = ledger.numbers();
    assert!(handled.len() >= 16 && duplicates == 0, "{} handled, {duplicates} twice", handled.len());
    assert!(took < SOON / 2, "a stop took {took:?}");
    // What is left comes again, and each once.
    let taker = Taker::of(&stage.broker(), "jobs", JOBS as usize).await;
    let left = JOBS as usize - handled.len();
    for one in taker.next(left).await {
        let job: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
        assert!(!handled.contains(&job["n"].as_u64().unwrap()), "{job} was handled already");
    }
    Ok(())
}

/// A stop keeps its deadline whatever the handlers do; what it cuts off comes again, and is not dead.
pub(crate) async fn a_stop_keeps_its_deadline(stage: &mut Stage) -> Verdict {
    let deadline = Duration::from_secs(1);
    let (ledger, took) = stopped(stage, SOON * 10, deadline).await;
    assert_eq!(ledger.len(), 0);
    assert!(took >= deadline / 2 && took < deadline + slack(), "a stop with a deadline of {deadline:?} took {took:?}");
    Ok(())
}

/// A consumer never has more than its credit in hand, however much waits: what it cannot take stays at the broker.
pub(crate) async fn a_slow_consumer_has_no_more_than_its_credit(stage: &mut Stage) -> Verdict {
    let (sender, broker) = (stage.broker(), stage.broker());
    let taker = Taker::of(&broker, "mailer", 4).await;
    for n in 0..200 {
        sender.dynamic("mailer", &json!(n)).await.unwrap();
        assert!(taker.held() <= 4, "{} in hand", taker.held());
    }
    until(SOON, "the rest to wait", async || sender.inspect("mailer").await.unwrap().waiting == 196).await;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let one = taker.one().await;
        seen.push(number(&one));
        taker.ack(&one).await;
        assert!(taker.held() <= 4, "{} in hand", taker.held());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
    Ok(())
}
