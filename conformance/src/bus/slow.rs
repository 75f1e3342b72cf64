//! More than a receiver can take.

use std::num::NonZeroUsize;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use formicary_protocol::Value;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use super::cast::Note;
use super::stage::{SOON, Stage};
use crate::left_out::Verdict;
use crate::lines::Lines;
use crate::rss::{self, MIB};
use crate::wait;

const FLOOD: u64 = 8_000;
/// Published at once.
const WAVE: u64 = 250;
/// With all of it in memory, the process would hold 96 MB.
const PADDING: usize = 12_000;

struct Slow;

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("slow", async |_: &Self, _: Note, ()| tokio::time::sleep(Duration::from_millis(5)).await)
            .concurrency(NonZeroUsize::MIN);
    }
}

/// A receiver that cannot follow a flood: memory is bounded, what was sent was received or dropped, and one line says so.
pub(crate) async fn a_flood_is_received_or_dropped_in_bounded_memory(stage: &mut Stage) -> Verdict {
    let lines = Lines::gather(LevelFilter::INFO);
    let group = stage.group().agent(|| Slow).start().await.unwrap();
    let (bus, events) = (stage.bus(), group.events());
    let padding = "x".repeat(PADDING);
    let body = |n: u64| -> Value { json!({"n": n, "padding": padding}) };
    let (begun, before) = (Instant::now(), rss::now());
    for wave in 0..FLOOD / WAVE {
        let bodies: Vec<_> = (wave * WAVE..(wave + 1) * WAVE).map(body).collect();
        for sent in join_all(bodies.iter().map(|body| bus.dynamic("me", "note", body))).await {
            sent.unwrap();
        }
    }
    let came = async || match events.count(EventKind::SignalReceived) + events.count(EventKind::Dropped) {
        FLOOD => Ok(()),
        other => Err(other),
    };
    wait::until(SOON, "what was sent to be received or dropped", came).await;
    let (received, dropped) = (events.count(EventKind::SignalReceived), events.count(EventKind::Dropped));
    let grown = rss::peak().zip(before).map(|(peak, before)| peak.saturating_sub(before));
    println!("measured: {received} received, {dropped} dropped, {:?} MiB more at the peak", grown.map(|n| n / MIB));
    assert!(received >= 1_024, "an inbox holds that many");
    assert!(dropped > FLOOD / 2, "it was no flood");
    assert!(!stage.promises.forgets || grown.is_none_or(|grown| grown < 48 * MIB), "{grown:?}");
    let warnings = lines.with(&["WARN"]);
    // What is dropped, and what nobody declared on both sides: a line for each, once a minute.
    let most = 3 * (1 + begun.elapsed().as_secs() / 60);
    assert!((1..=most).contains(&(warnings.len() as u64)), "{warnings:#?}");
    group.stop_within(Duration::from_secs(1)).await;
    Ok(())
}
