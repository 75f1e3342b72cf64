//! Panics, over and over.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use formicary::prelude::*;
use formicary::{AgentOptions, EventKind, RestartPolicy};

use crate::common::*;

on_each! {
    an_agent_that_panics_500_times_disturbs_no_other,
}

const STORM: u64 = 500;
const ONE: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;

struct Panics;

impl Agent for Panics {
    fn declare(agent: &mut AgentBuilder<Self>) {
        // One at a time: a panic takes what runs beside it along.
        agent
            .receiver("panic", async |_: &Self, ping: Ping, ()| {
                if ping.n < STORM {
                    // A panic in everything but the 500 lines on stderr.
                    resume_unwind(Box::new("storm"));
                }
            })
            .concurrency(ONE);
    }
}

struct Counts(Arc<AtomicU64>);

impl Agent for Counts {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("count", async |me: &Self, _: Ping, ()| {
            me.0.fetch_add(1, Ordering::Relaxed);
        });
        agent.consumer::<Job, _, _, _, _>("work", async |me: &Self, _: Job, ()| {
            me.0.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// An agent that panics on each of 500 signals loses none of them and no subscription; its neighbour does not notice.
async fn an_agent_that_panics_500_times_disturbs_no_other(stage: &Stage) {
    let counted = Arc::new(AtomicU64::new(0));
    let count = counted.clone();
    let storm = RestartPolicy::default().constant(Duration::from_millis(1)).intensity(10_000, Duration::from_secs(60));
    let group = stage
        .group()
        .agent_with(AgentOptions::new().restart(storm), || Panics)
        .agent(move || Counts(count.clone()))
        .start()
        .await
        .unwrap();
    for n in 0..STORM {
        ping(group.bus(), n).await;
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
    let events = group.events();
    // The neighbour is done while the storm still goes on, or about then; it never waits for it.
    until(SOON, "the neighbour", async || counted.load(Ordering::Relaxed) == 2 * STORM).await;
    until(Duration::from_secs(30), "the storm", async || events.count(EventKind::Crashed) == STORM).await;
    until(SOON, "the last restart", async || events.count(EventKind::Restarted) == STORM).await;
    ping(group.bus(), STORM).await;
    until(SOON, "the signal after the storm", async || events.count(EventKind::Handled) == 2 * STORM + 2).await;
    assert_eq!(events.count(EventKind::Dropped), 0);
    assert_eq!(
        (events.count(EventKind::Retried), events.count(EventKind::Returned)),
        (0, 0),
        "the neighbour's messages"
    );
    assert_eq!(group.stop().await.code(), 0);
}
