//! The memory adapters, on one arbiter, beside plain actix.

use formicary::{BrokerConfig, BusConfig, EventKind};

use crate::Outcome;
use crate::ours::{Ours, ask, job, tick};
use crate::pace::{at_once, one_by_one};
use crate::raw::actor::RawActor;
use crate::report::{Metric, Target};
use crate::runner::{Bench, Runner};

async fn ours() -> Outcome<Ours> {
    Ours::start(BusConfig::default(), BrokerConfig::default()).await
}

pub async fn signals(runner: &Runner) -> Outcome {
    for (name, under_way, work) in
        [("memory signals, 64 in flight", 64, 400_000), ("memory signals, 256 in flight", 256, 400_000)]
    {
        if !runner.is_asked(name) {
            continue;
        }
        let (raw, ours) = (RawActor::start(), ours().await?);
        let bench = Bench { name, work, metrics: &[Metric::PerSecond(Target::Ours(1e6))] };
        let raw = async |work| {
            raw.counter.expect(work);
            let side = raw.clone();
            at_once(under_way, work, async move || side.publish().await).await?;
            raw.counter.reached().await?;
            Ok(Vec::new())
        };
        let run_ours = async |work| {
            ours.counter.expect(work);
            let way = ours.ways.tick.clone();
            at_once(under_way, work, async move || {
                way.send(&tick()).await?;
                Ok(())
            })
            .await?;
            ours.reached().await?;
            Ok(Vec::new())
        };
        runner.compare(bench, raw, run_ours).await?;
        ours.group.stop().await;
    }
    Ok(())
}

pub async fn calls(runner: &Runner) -> Outcome {
    let name = "memory calls, one at a time";
    if runner.is_asked(name) {
        let (raw, ours) = (RawActor::start(), ours().await?);
        let metrics = &[Metric::Percentile(50, Target::Ours(5e-6)), Metric::Percentile(99, Target::None)];
        let bench = Bench { name, work: 50_000, metrics };
        let raw = async |work| one_by_one(work, async || raw.call().await.map(drop)).await;
        let run_ours = async |work| {
            one_by_one(work, async || {
                ours.ways.ask.first(&ask()).await?;
                Ok(())
            })
            .await
        };
        runner.compare(bench, raw, run_ours).await?;
        ours.group.stop().await;
    }
    let name = "memory calls, 64 in flight";
    if runner.is_asked(name) {
        let (raw, ours) = (RawActor::start(), ours().await?);
        let bench = Bench { name, work: 200_000, metrics: &[Metric::PerSecond(Target::Ours(300e3))] };
        let raw = async |work| {
            let side = raw.clone();
            at_once(64, work, async move || side.call().await.map(drop)).await?;
            Ok(Vec::new())
        };
        let run_ours = async |work| {
            let way = ours.ways.ask.clone();
            at_once(64, work, async move || {
                way.first(&ask()).await?;
                Ok(())
            })
            .await?;
            Ok(Vec::new())
        };
        runner.compare(bench, raw, run_ours).await?;
        ours.group.stop().await;
    }
    Ok(())
}

pub async fn queue(runner: &Runner) -> Outcome {
    let name = "memory queue, 64 sent at once";
    if !runner.is_asked(name) {
        return Ok(());
    }
    let (raw, ours) = (RawActor::start(), ours().await?);
    let bench = Bench { name, work: 200_000, metrics: &[Metric::PerSecond(Target::None)] };
    let raw = async |work| {
        let side = raw.clone();
        at_once(64, work, async move || side.push().await).await?;
        Ok(Vec::new())
    };
    let run_ours = async |work| {
        let consumed = ours.group.events().count(EventKind::Consumed) + work as u64;
        ours.counter.expect(work);
        let way = ours.ways.jobs.clone();
        at_once(64, work, async move || {
            way.send(&job()).await?;
            Ok(())
        })
        .await?;
        ours.settled(consumed).await?;
        Ok(Vec::new())
    };
    runner.compare(bench, raw, run_ours).await?;
    ours.group.stop().await;
    Ok(())
}
