//! Signals and calls over a real Redis. Caller, bus and handler live on one thread, on both sides.

use formicary::{BrokerConfig, BusConfig};
use formicary_test_support::redis::Server;

use crate::Outcome;
use crate::ours::{Ours, ask, tick};
use crate::pace::{at_once, one_by_one};
use crate::raw::bus::RawBus;
use crate::report::{Metric, Target};
use crate::runner::{Bench, Runner};

async fn sides(server: &Server) -> Outcome<(RawBus, Ours)> {
    let bus: BusConfig = server.url().parse()?;
    Ok((RawBus::start(&server.url()).await?, Ours::start(bus, BrokerConfig::default()).await?))
}

pub async fn signals(runner: &Runner, server: &Server) -> Outcome {
    const PLAIN: &[Metric] = &[Metric::PerSecond(Target::None)];
    const HELD: &[Metric] = &[Metric::PerSecond(Target::Ratio(0.9))];
    let benches = [
        (Bench { name: "redis signals, 1 in flight", work: 5_000, metrics: PLAIN }, 1),
        (Bench { name: "redis signals, 64 in flight", work: 60_000, metrics: PLAIN }, 64),
        (Bench { name: "redis signals, 256 in flight", work: 100_000, metrics: HELD }, 256),
    ];
    for (bench, under_way) in benches {
        if !runner.is_asked(bench.name) {
            continue;
        }
        let (raw, ours) = sides(server).await?;
        let run_raw = async |work| {
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
        runner.compare(bench, run_raw, run_ours).await?;
        ours.group.stop().await;
        raw.stop().await?;
    }
    Ok(())
}

pub async fn calls(runner: &Runner, server: &Server) -> Outcome {
    let name = "redis calls, one at a time";
    if runner.is_asked(name) {
        let (raw, ours) = sides(server).await?;
        let metrics = &[Metric::Percentile(50, Target::Ratio(1.25)), Metric::Percentile(99, Target::None)];
        let bench = Bench { name, work: 4_000, metrics };
        let run_raw = async |work| one_by_one(work, async || raw.call().await.map(drop)).await;
        let run_ours = async |work| {
            one_by_one(work, async || {
                ours.ways.ask.first(&ask()).await?;
                Ok(())
            })
            .await
        };
        runner.compare(bench, run_raw, run_ours).await?;
        ours.group.stop().await;
        raw.stop().await?;
    }
    let name = "redis calls, 64 in flight";
    if runner.is_asked(name) {
        let (raw, ours) = sides(server).await?;
        let bench = Bench { name, work: 40_000, metrics: &[Metric::PerSecond(Target::Ratio(0.8))] };
        let run_raw = async |work| {
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
        runner.compare(bench, run_raw, run_ours).await?;
        ours.group.stop().await;
        raw.stop().await?;
    }
    Ok(())
}
