//! A queue on a real Redis: what is sent, and what is consumed. On both sides the connection has a thread of its own.

use formicary::{BrokerConfig, BusConfig, EventKind};
use formicary_test_support::redis::Server;

use crate::Outcome;
use crate::ours::{Ours, job};
use crate::pace::{at_once, one_by_one};
use crate::raw::queue::{GROUP, LIST, RawQueue, STREAM};
use crate::report::{Metric, Target};
use crate::runner::{Bench, Runner};

/// The queue of `signals.json`.
const OURS: &str = "jobs";

pub async fn send(runner: &Runner, server: &Server) -> Outcome {
    let name = "redis queue, 256 sent at once";
    if !runner.is_asked(name) {
        return Ok(());
    }
    let broker: BrokerConfig = server.url().parse()?;
    let raw = RawQueue::start(server.url()).await?;
    let ours = Ours::only_sending(BusConfig::default(), broker).await?;
    let run_raw = async |work| {
        at_once(256, work, raw.sender(LIST)).await?;
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
    let bench = Bench { name, work: 100_000, metrics: &[Metric::PerSecond(Target::Ratio(0.9))] };
    runner.compare(bench, run_raw, run_ours).await?;
    ours.group.stop().await;
    server.command(&["DEL", OURS, LIST]).await?;
    raw.stop().await
}

pub async fn consume(runner: &Runner, server: &Server) -> Outcome {
    const SCRIPT: &[Metric] = &[Metric::PerSecond(Target::Ratio(0.8))];
    const STREAM: &[Metric] = &[Metric::PerSecond(Target::Ratio(1.0))];
    const ONE_BY_ONE: &[Metric] = &[Metric::PerSecond(Target::Ratio(20.0))];
    let benches = [
        (Bench { name: "redis queue, consumed 64 at once", work: 40_000, metrics: SCRIPT }, Loop::Script),
        (Bench { name: "redis queue, beside a stream", work: 40_000, metrics: STREAM }, Loop::Stream),
        (Bench { name: "redis queue, beside BLMOVE + LREM", work: 4_000, metrics: ONE_BY_ONE }, Loop::OneByOne),
    ];
    for (bench, raw_loop) in benches {
        if runner.is_asked(bench.name) {
            consume_beside(runner, server, bench, raw_loop).await?;
        }
    }
    Ok(())
}

/// How the raw side consumes.
#[derive(Clone, Copy)]
enum Loop {
    Script,
    Stream,
    OneByOne,
}

async fn consume_beside(runner: &Runner, server: &Server, bench: Bench, raw_loop: Loop) -> Outcome {
    let broker: BrokerConfig = server.url().parse()?;
    let raw = RawQueue::start(server.url()).await?;
    let ours = Ours::start(BusConfig::default(), broker).await?;
    for work in runner.rounds_of(bench.work) {
        prepare(server, work).await?;
    }
    let run_raw = async |work| {
        raw.counter.expect(work);
        match raw_loop {
            Loop::Script => {
                fill(server, "list", LIST, work).await?;
                raw.by_script().await?;
            }
            Loop::Stream => {
                fill(server, "stream", STREAM, work).await?;
                raw.by_stream().await?;
            }
            Loop::OneByOne => {
                fill(server, "list", LIST, work).await?;
                raw.one_by_one(work).await?;
            }
        }
        raw.counter.reached().await?;
        Ok(Vec::new())
    };
    let run_ours = async |work| {
        let consumed = ours.group.events().count(EventKind::Consumed) + work as u64;
        ours.counter.expect(work);
        fill(server, "list", OURS, work).await?;
        ours.settled(consumed).await?;
        Ok(Vec::new())
    };
    runner.compare(bench, run_raw, run_ours).await?;
    ours.group.stop().await;
    server.command(&["FLUSHALL"]).await?;
    raw.stop().await
}

/// A message that arrives at an idle queue: from the command that pushes it, the same on both sides, until it is handled.
pub async fn idle(runner: &Runner, server: &Server) -> Outcome {
    let name = "redis queue, one to an idle consumer";
    if !runner.is_asked(name) {
        return Ok(());
    }
    let broker: BrokerConfig = server.url().parse()?;
    let (raw, sends) = (RawQueue::start(server.url()).await?, RawQueue::start(server.url()).await?);
    let ours = Ours::start(BusConfig::default(), broker).await?;
    let run_raw = async |work| {
        let push = sends.sender(LIST);
        let sent = one_by_one(work, async || {
            raw.counter.expect(1);
            push().await?;
            raw.counter.reached().await
        });
        let (popped, took) = tokio::join!(raw.pop(work), sent);
        popped?;
        took
    };
    let run_ours = async |work| {
        let push = sends.sender(OURS);
        one_by_one(work, async || {
            ours.counter.expect(1);
            push().await?;
            ours.counter.reached().await
        })
        .await
    };
    let metrics = &[Metric::Percentile(50, Target::Ratio(1.5)), Metric::Percentile(99, Target::None)];
    runner.compare(Bench { name, work: 4_000, metrics }, run_raw, run_ours).await?;
    ours.group.stop().await;
    raw.stop().await?;
    sends.stop().await
}

/// Makes what rounds of this much work begin with: a list, and a stream with its group.
async fn prepare(server: &Server, work: usize) -> Outcome {
    const FILL: &str = "
    for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], ARGV[2]) redis.call('XADD', KEYS[2], '*', 'body', ARGV[2]) end
    redis.call('XGROUP', 'CREATE', KEYS[2], ARGV[3], '0')";
    let (list, stream, body) = (format!("list:{work}"), format!("stream:{work}"), serde_json::to_string(&job())?);
    server.command(&["EVAL", FILL, "2", &list, &stream, &work.to_string(), &body, GROUP]).await?;
    Ok(())
}

/// All at once and in no time, so that a consumer that waits finds every one of them and nothing else is measured.
async fn fill(server: &Server, kind: &str, key: &str, work: usize) -> Outcome {
    server.command(&["COPY", &format!("{kind}:{work}"), key, "REPLACE"]).await?;
    Ok(())
}
