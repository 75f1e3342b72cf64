//! More than a receiver can take.

use std::num::NonZeroUsize;
use std::time::Duration;

use formicary::EventKind;
use formicary::prelude::*;
use formicary_test_support::redis::Server;
use futures_util::future::join_all;
use tracing_subscriber::filter::LevelFilter;

use crate::alone::alone;
use crate::common::*;
use crate::lines::Lines;
use crate::rss::{self, MIB};

const FLOOD: u64 = 100_000;
/// Published at once.
const WAVE: u64 = 1_000;

alone! {
    /// A slow receiver in memory under 100,000 signals: memory is bounded, each drop is counted, one line says so.
    async fn a_slow_receiver_in_memory_drops_and_counts() {
        flood(&Stage::memory()).await;
    }

    /// A slow receiver on Redis under 100,000 signals: memory is bounded, each drop is counted, one line says so.
    async fn a_slow_receiver_on_redis_drops_and_counts() {
        flood(&Stage::Redis(Server::start().await)).await;
    }
}

struct Slow;

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("slow", async |_: &Self, _: Ping, ()| tokio::time::sleep(Duration::from_millis(1)).await)
            .concurrency(NonZeroUsize::MIN);
    }
}

async fn flood(stage: &Stage) {
    let lines = Lines::gather(LevelFilter::INFO);
    let group = stage.group().agent(|| Slow).start().await.unwrap();
    let (bus, events) = (group.bus(), group.events());
    let before = rss::now();
    for wave in 0..FLOOD / WAVE {
        let sent = join_all((0..WAVE).map(|n| ping(bus, wave * WAVE + n)));
        sent.await;
    }
    let came = async || events.count(EventKind::SignalReceived) + events.count(EventKind::Dropped) == FLOOD;
    until(SOON, "what was sent to be received or dropped", came).await;
    let grown = rss::peak().saturating_sub(before);
    let (received, dropped) = (events.count(EventKind::SignalReceived), events.count(EventKind::Dropped));
    println!("measured: {received} received, {dropped} dropped, {} MiB more at the peak", grown / MIB);
    assert!(received >= 1_024, "an inbox holds that many");
    assert!(dropped > FLOOD / 2, "it was no flood");
    assert!(grown < 64 * MIB, "{} MiB", grown / MIB);
    assert!((1..=5).contains(&lines.with(&["WARN"])), "{} warnings: {:.2000}", lines.with(&["WARN"]), lines.text());
    let handled = async || events.count(EventKind::Handled) == received;
    until(Duration::from_secs(30), "all that was received to be handled", handled).await;
    group.stop().await;
}
