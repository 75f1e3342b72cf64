//! A queue on a real Redis: what is sent, and what is consumed. On both sides the connection has a thread of its own.

use formicary::{BrokerConfig, BusConfig, EventKind};
use formicary_test_support::redis::Server;

use crate::Outcome;
use crate::ours::{Ours, job};
use crate::pace::at_once;
use crate::raw::queue::{LIST, RawQueue};
use crate::report::{Metric, Target};
use crate::runner::{Bench, Runner};

/// The queue of `signals.json`.
const OURS: &str = "jobs";
const PLAIN: &[Metric] = &[Metric::PerSecond(Target::None)];

pub async fn send(runner: &Runner, server: &Server) -> Outcome {
    let name = "redis queue, 256 sent at once";
    if !runner.is_asked(name) {
        return Ok(());
    }
    let broker: BrokerConfig = server.url().parse()?;
    let raw = RawQueue::start(server.url()).await?;
    let ours = Ours::only_sending(BusConfig::default(), broker).await?;
    let run_raw = async |work| {
        at_once(256, work, raw.sender()).await?;
        Ok(Vec::new())
    };
    let run_ours = async |work| {
        let way = ours.ways.jobs.clone();
        at_once(256, work, async move || {
            way.send(&job()).await?;
            Ok(())
        })
        .await?;
        Ok(Vec::new())
    };
    runner.compare(Bench { name, work: 100_000, metrics: PLAIN }, run_raw, run_ours).await?;
    ours.group.stop().await;
    server.command(&["DEL", OURS, LIST]).await?;
    raw.stop().await
}

pub async fn consume(runner: &Runner, server: &Server) -> Outcome {
    let name = "redis queue, consumed 64 at once";
    if !runner.is_asked(name) {
        return Ok(());
    }
    let broker: BrokerConfig = server.url().parse()?;
    let raw = RawQueue::start(server.url()).await?;
    let ours = Ours::start(BusConfig::default(), broker).await?;
    let run_raw = async |work| {
        raw.counter.expect(work);
        fill(server, LIST, work).await?;
        raw.consume().await?;
        raw.counter.reached().await?;
        Ok(Vec::new())
    };
    let run_ours = async |work| {
        let consumed = ours.group.events().count(EventKind::Consumed) + work as u64;
        ours.counter.expect(work);
        fill(server, OURS, work).await?;
        ours.settled(consumed).await?;
        Ok(Vec::new())
    };
    runner.compare(Bench { name, work: 40_000, metrics: PLAIN }, run_raw, run_ours).await?;
    ours.group.stop().await;
    raw.stop().await
}

/// All at once, so that a consumer that waits finds every one of them.
async fn fill(server: &Server, list: &str, count: usize) -> Outcome {
    let body = serde_json::to_vec(&job())?;
    let mut command = vec![b"RPUSH".to_vec(), list.into()];
    command.resize(count + 2, body);
    server.command(&command).await?;
    Ok(())
}
