//! What a consumer that is slow costs its process.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::cast::Mailer;
use super::stage::Stage;
use super::taker::{SOON, many};
use crate::left_out::Verdict;
use crate::rss::{self, MIB};
use crate::wait::until;

const WAITING: usize = 20_000;
/// Sent at once.
const WAVE: usize = 250;
/// With all of them in memory, the process would hold 80 MB.
const SIZE: usize = 4_096;
const CREDIT: usize = 16;
/// What sending so many costs, and what an adapter may read ahead.
const SLACK: u64 = 8 * MIB;
/// So long an adapter could read on.
const LOOKING: Duration = Duration::from_secs(2);

/// Takes as many as it may, and ends none.
struct Stuck;

impl Agent for Stuck {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let work = async |_: &Self, _: serde_json::Value, ()| std::future::pending::<()>().await;
        agent.consumer::<Mailer, _, _, _, _>("work", work).concurrency(many(CREDIT)).timeout(SOON * 10);
    }
}

/// However much waits, a consumer that does not get on holds what its credit says: the rest is at the broker, and so nothing
/// overflows, and nothing is dropped.
pub(crate) async fn what_waits_for_a_slow_consumer_costs_it_no_memory(stage: &mut Stage) -> Verdict {
    stage.can("to keep messages outside of its process", |can| can.persistent).await?;
    let look = stage.broker();
    let body = json!("x".repeat(SIZE));
    let wave = async || {
        for sent in join_all((0..WAVE).map(|_| look.dynamic("mailer", &body))).await {
            sent.unwrap();
        }
    };
    let group = stage.group().agent(|| Stuck).start().await.unwrap();
    // From here on connections and code are in memory, and the first messages too.
    wave().await;
    until(SOON, "as many as it may have", async || group.load().running == CREDIT as u64).await;
    let before = rss::now();
    for _ in 1..WAITING / WAVE {
        wave().await;
    }
    let begun = Instant::now();
    let mut most = before;
    until(LOOKING * 2, "enough looks", async || {
        most = most.max(rss::now());
        begun.elapsed() > LOOKING
    })
    .await;
    let counts = look.inspect("mailer").await.unwrap();
    assert_eq!((counts.waiting, counts.dead), ((WAITING - CREDIT) as u64, 0), "{counts:?}");
    if let Some(grown) = most.zip(before).map(|(most, before)| most.saturating_sub(before)) {
        let waiting = (WAITING * SIZE) as u64 / MIB;
        stage.report(format_args!("{} KiB more, while {waiting} MiB wait", grown >> 10));
        let bound = (CREDIT * SIZE) as u64 + SLACK;
        assert!(grown < bound, "{grown} bytes more, and the bound is {bound}");
    }
    let events = group.events().clone();
    group.stop_within(Duration::from_secs(1)).await;
    let lost = [EventKind::Dropped, EventKind::DeadLettered, EventKind::LateSettlement].map(|kind| events.count(kind));
    assert_eq!(lost, [0; 3], "dropped, dead, late");
    until(SOON, "all of it to be back", async || look.inspect("mailer").await.unwrap().waiting == WAITING as u64).await;
    Ok(())
}
