//! Consumers with a policy under a harness: what stands between a delivery and its settlement runs as ever.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Cx, Exhausted, Item, Outbox, Push};
use formicary_actors::contract::Outcome;
use formicary_actors::events::EventKind;
use formicary_actors::testing::{Harness, Received};
use formicary_actors::{HandlerError, Retry};
use formicary_protocol::DeadReason;
use tokio::time::Instant;

use super::common::*;

#[derive(Default)]
struct Careful {
    seen: Vec<String>,
}

impl Agent for Careful {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let work = async |me: &mut Self, job: Job, (outbox, cx): (Outbox<Done>, Cx)| {
            me.seen.push(format!("work {}", job.n));
            outbox.send(&Done { n: job.n * 10 })?;
            let agent = cx.agent().to_owned();
            cx.after_ack(async move { drop(agent) })?;
            if job.n == 13 { Err(HandlerError::from("unlucky")) } else { Ok(()) }
        };
        agent
            .consumer_mut::<Job, _, _, _, _>("work", work)
            .retry(Retry::constant(Duration::from_secs(2)).attempts(NonZeroU32::new(2).unwrap()).jitter(1.0))
            .dedup_by(Duration::from_secs(60), |job: &Job| job.n % 100);
        agent.on_exhausted::<Job, _, _, _, _>(
            "give_up",
            async |_: &Self, job: Job, (why, jobs): (Exhausted, Push<Done>)| {
                jobs.send(&Done { n: job.n * 1_000 + u64::from(why.attempts()) }).await
            },
        );
    }
}

async fn careful() -> Harness<Careful> {
    tokio::time::pause();
    Harness::of(Careful::default).declarations(declarations()).start().await.unwrap()
}

#[actix::test]
async fn a_policy_holds_for_what_a_harness_delivers() {
    let careful = careful().await;
    careful.message::<Job>(&Job { n: 1 }).await.assert_acked();
    assert_eq!(careful.broker().assert_pushed_once::<Done>(), Done { n: 10 });
    let failed = careful.message::<Job>(&Job { n: 13 }).await;
    assert_eq!(failed.outcome, Outcome::Retry { after: Duration::from_secs(2) });
    let last = careful.message_as::<Job>(&Job { n: 13 }, Received::new().attempt(2)).await;
    assert_eq!(last.assert_dead(DeadReason::Exhausted), "unlucky");
    assert_eq!(careful.broker().pushed::<Done>(), [Done { n: 10 }, Done { n: 13_002 }]);
    careful.stop().await;
}

#[actix::test]
async fn what_was_handled_is_known_however_it_came() {
    let careful = careful().await;
    careful.message::<Job>(&Job { n: 1 }).await.assert_acked();
    let again = careful.message::<Job>(&Job { n: 101 }).await;
    assert!(again.outcome == Outcome::Ack && again.repeated, "{again}");
    careful.broker().put::<Job>(&Job { n: 201 });
    careful.broker().put::<Job>(&Job { n: 2 });
    careful.idle().await;
    assert!(careful.message::<Job>(&Job { n: 102 }).await.repeated);
    let repeated: Vec<_> = careful.broker().settled::<Job>().iter().map(|settled| settled.repeated).collect();
    assert_eq!(repeated, [false, true, true, false, true]);
    assert_eq!(careful.with(|me| me.seen.clone()).await, ["work 1", "work 2"]);
    careful.broker().assert_pushed_times::<Done>(2);
    let count = |kind| careful.events().count(kind);
    assert_eq!((count(EventKind::Consumed), count(EventKind::Deduplicated), count(EventKind::Queued)), (2, 3, 2));
    careful.stop().await;
}

struct Batches;

impl Agent for Batches {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .batch_consumer::<Job, Job, _, _, _>("work", async |_: &Self, items: Vec<Item<Job>>, pings: Push<Done>| {
                pings.send(&Done { n: items.len() as u64 }).await?;
                for item in items {
                    match item.n {
                        13 => item.fail("unlucky"),
                        _ => item.ack(),
                    }
                }
                Ok::<_, HandlerError>(())
            })
            .batch(NonZeroUsize::new(64).unwrap(), Duration::from_millis(100));
    }
}

#[actix::test]
async fn messages_that_come_together_are_one_batch() {
    tokio::time::pause();
    let batches = Harness::of(|| Batches).declarations(declarations()).start().await.unwrap();
    let begun = Instant::now();
    let settled = batches.messages::<Job>(&[Job { n: 1 }, Job { n: 13 }, Job { n: 2 }]).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    let words: Vec<_> = settled.iter().map(|settled| settled.outcome.word()).collect();
    assert_eq!(words, ["ack", "retry", "ack"]);
    assert_eq!(settled[1].assert_retried(), "unlucky");
    assert_eq!(batches.broker().assert_pushed_once::<Done>(), Done { n: 3 });
    batches.stop().await;
}
