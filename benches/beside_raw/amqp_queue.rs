//! A queue on a real RabbitMQ: what is sent with confirms, and what is consumed. Queues are durable and messages persistent.

use std::cell::RefCell;

use formicary::{BrokerConfig, BusConfig};
use formicary_test_support::rabbitmq::Server;

use crate::Outcome;
use crate::ours::{Consumes, Ours, job};
use crate::pace::at_once;
use crate::raw::amqp_queue::{Acks, QUEUE, RawQueue, Sends};
use crate::report::{Metric, Target};
use crate::runner::{Bench, Runner, Side};

/// The queue of `signals.json`.
const OURS: &str = "jobs";

const SENT: &str = "rabbitmq queue, 256 sent at once";
const SENT_BARE: &str = "rabbitmq queue, 256 sent, beside bare";
const BESIDE_MANY: &str = "rabbitmq queue, beside acks of 64";
const BESIDE_EACH: &str = "rabbitmq queue, beside single acks";
pub const NAMES: [&str; 4] = [SENT, SENT_BARE, BESIDE_MANY, BESIDE_EACH];

pub async fn send(runner: &Runner, server: &Server) -> Outcome {
    const ALIKE: &[Metric] = &[Metric::PerSecond(Target::Ratio(0.9))];
    const BARE: &[Metric] = &[Metric::PerSecond(Target::None)];
    let benches = [
        (Bench { name: SENT, work: 30_000, metrics: ALIKE }, Sends::Alike),
        (Bench { name: SENT_BARE, work: 30_000, metrics: BARE }, Sends::Bare),
    ];
    for (bench, sends) in benches {
        if runner.is_asked(bench.name) {
            send_beside(runner, server, bench, sends).await?;
        }
    }
    Ok(())
}

async fn send_beside(runner: &Runner, server: &Server, bench: Bench, sends: Sends) -> Outcome {
    let broker: BrokerConfig = server.url().parse()?;
    let raw = RawQueue::start(&server.url()).await?;
    let ours = Ours::only_sending(BusConfig::default(), broker).await?;
    let prepare = async |side, _| raw.purge(if side == Side::Raw { QUEUE } else { OURS }).await;
    let run_raw = async |work| {
        at_once(256, work, raw.sender(QUEUE, sends)).await?;
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
    runner.compare_prepared(bench, prepare, run_raw, run_ours).await?;
    ours.group.stop().await;
    raw.purge(QUEUE).await?;
    raw.purge(OURS).await?;
    raw.stop().await
}

pub async fn consume(runner: &Runner, server: &Server) -> Outcome {
    const MANY: &[Metric] = &[Metric::PerSecond(Target::Ratio(0.8))];
    const EACH: &[Metric] = &[Metric::PerSecond(Target::Ratio(1.0))];
    let benches = [
        (Bench { name: BESIDE_MANY, work: 40_000, metrics: MANY }, Acks::Every(64)),
        (Bench { name: BESIDE_EACH, work: 40_000, metrics: EACH }, Acks::Each),
    ];
    for (bench, acks) in benches {
        if runner.is_asked(bench.name) {
            consume_beside(runner, server, bench, acks).await?;
        }
    }
    Ok(())
}

/// A round begins with a full queue and a connection, and with nobody who consumes.
async fn consume_beside(runner: &Runner, server: &Server, bench: Bench, acks: Acks) -> Outcome {
    let raw = RawQueue::start(&server.url()).await?;
    let ours: RefCell<Option<Ours>> = RefCell::default();
    let prepare = async |side, work| {
        let before = ours.take();
        if let Some(before) = before {
            before.group.stop().await;
        }
        let queue = if side == Side::Raw { QUEUE } else { OURS };
        if side == Side::Ours {
            let broker: BrokerConfig = server.url().parse()?;
            ours.replace(Some(Ours::only_sending(BusConfig::default(), broker).await?));
        }
        at_once(256, work, raw.sender(queue, Sends::Alike)).await
    };
    let run_raw = async |work| {
        raw.consume(work, acks).await?;
        Ok(Vec::new())
    };
    let run_ours = async |work| {
        let now = ours.take().ok_or("no group was prepared")?;
        now.counter.expect(work);
        let counter = now.counter.clone();
        now.group.spawn(move || Consumes(counter.clone())).await?;
        now.settled(work as u64).await?;
        ours.replace(Some(now));
        Ok(Vec::new())
    };
    runner.compare_prepared(bench, prepare, run_raw, run_ours).await?;
    if let Some(last) = ours.take() {
        last.group.stop().await;
    }
    raw.stop().await
}
