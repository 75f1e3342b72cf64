//! Signals and calls over a real RabbitMQ. Caller, bus and handler live on one thread, on both sides, beside that of the driver.

use formicary::{BrokerConfig, BusConfig};
use formicary_test_support::rabbitmq::Server;

use crate::Outcome;
use crate::ours::{Ours, ask, tick};
use crate::pace::{at_once, one_by_one};
use crate::raw::amqp_bus::RawBus;
use crate::report::{Metric, Target};
use crate::runner::{Bench, Runner};

const SIGNALS: &str = "rabbitmq signals, 256 in flight";
const CALLS: &str = "rabbitmq calls, one at a time";
const MANY_CALLS: &str = "rabbitmq calls, 64 in flight";
pub const NAMES: [&str; 3] = [SIGNALS, CALLS, MANY_CALLS];

async fn sides(server: &Server) -> Outcome<(RawBus, Ours)> {
    let bus: BusConfig = server.url().parse()?;
    Ok((RawBus::start(&server.url()).await?, Ours::start(bus, BrokerConfig::default()).await?))
}

pub async fn signals(runner: &Runner, server: &Server) -> Outcome {
    if !runner.is_asked(SIGNALS) {
        return Ok(());
    }
    let (raw, ours) = sides(server).await?;
    let run_raw = async |work| {
        raw.counter().expect(work);
        let side = raw.clone();
        at_once(256, work, async move || side.publish().await).await?;
        raw.counter().reached().await?;
        Ok(Vec::new())
    };
    let run_ours = async |work| {
        ours.counter.expect(work);
        let way = ours.ways.tick.clone();
        at_once(256, work, async move || {
            way.send(&tick()).await?;
            Ok(())
        })
        .await?;
        ours.reached().await?;
        Ok(Vec::new())
    };
    let bench = Bench { name: SIGNALS, work: 30_000, metrics: &[Metric::PerSecond(Target::Ratio(0.85))] };
    runner.compare(bench, run_raw, run_ours).await?;
    ours.group.stop().await;
    raw.stop().await
}

pub async fn calls(runner: &Runner, server: &Server) -> Outcome {
    const ONE: &[Metric] = &[Metric::Percentile(50, Target::Ratio(1.25)), Metric::Percentile(99, Target::None)];
    const MANY: &[Metric] = &[Metric::PerSecond(Target::None)];
    if runner.is_asked(CALLS) {
        let (raw, ours) = sides(server).await?;
        let run_raw = async |work| one_by_one(work, async || raw.call().await.map(drop)).await;
        let run_ours = async |work| {
            one_by_one(work, async || {
                ours.ways.ask.first(&ask()).await?;
                Ok(())
            })
            .await
        };
        runner.compare(Bench { name: CALLS, work: 4_000, metrics: ONE }, run_raw, run_ours).await?;
        ours.group.stop().await;
        raw.stop().await?;
    }
    if runner.is_asked(MANY_CALLS) {
        let (raw, ours) = sides(server).await?;
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
        runner.compare(Bench { name: MANY_CALLS, work: 15_000, metrics: MANY }, run_raw, run_ours).await?;
        ours.group.stop().await;
        raw.stop().await?;
    }
    Ok(())
}
