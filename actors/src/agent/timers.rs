//! Periodic and cron tasks of an agent.

use std::future::Future;
use std::rc::Rc;
use std::str::FromStr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::access::LocalFuture;
use super::chain::Ran;
use super::instance::Instance;
use super::plan::HandlerPlan;
use super::tasks::run_timer;
use crate::events::{Event, EventKind};
use crate::timer::{CronTicks, PeriodicTicks};

/// What happens when a run of a timer is due and the one before it still runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Overlap {
    /// The run is left out and counted. The default.
    #[default]
    Skip,
    /// The run waits for the one before it. At most 16 wait; one more is left out and counted.
    Queue,
    /// The run begins beside the others. At most 64 run; one more is left out and counted.
    Allow,
}

const MOST_QUEUED: usize = 16;
const MOST_BESIDE: usize = 64;

impl FromStr for Overlap {
    type Err = crate::Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "skip" => Ok(Self::Skip),
            "queue" => Ok(Self::Queue),
            "allow" => Ok(Self::Allow),
            other => Err(crate::Error::Settings(format!("overlap is skip, queue or allow, and not `{other}`"))),
        }
    }
}

/// Runs one periodic task until the agent stops; a run that has begun then goes on to its end.
pub(crate) async fn periodic<A: 'static>(instance: Rc<Instance<A>>, at: usize) {
    let plan = instance.plan.clone();
    let plan = &plan.periodic[at];
    let timeout = plan.options.timeout.unwrap_or(plan.period);
    let mut ticks = PeriodicTicks::new(plan.options.start_after, plan.period);
    let run = || run_timer(&instance, &plan.handler, &plan.options.layers, timeout, &plan.task);
    tick(&instance, &plan.handler, plan.options.overlap, async || ticks.next().await, run).await;
}

/// Runs one cron task until the agent stops; a run that has begun then goes on to its end.
pub(crate) async fn cron<A: 'static>(instance: Rc<Instance<A>>, at: usize) {
    let plan = instance.plan.clone();
    let plan = &plan.cron[at];
    let mut ticks = CronTicks::new(plan.cron.clone(), instance.core.shared.env.clock);
    let timeout = plan.options.timeout;
    let run = || run_timer(&instance, &plan.handler, &plan.options.layers, timeout, &plan.task);
    tick(&instance, &plan.handler, plan.options.overlap, async || ticks.next().await, run).await;
}

async fn tick<'a, A: 'static, R: Future<Output = Ran> + 'a>(
    instance: &'a Instance<A>,
    handler: &HandlerPlan,
    overlap: Overlap,
    mut next: impl AsyncFnMut(),
    run: impl Fn() -> R,
) {
    let core = &instance.core;
    let mut stopped = false;
    let mut due = 0;
    let mut runs: FuturesUnordered<LocalFuture<'a, Ran>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = core.cx.stopping_flag().raised(), if !stopped => {
                stopped = true;
                due = 0;
            }
            Some(_) = runs.next() => {}
            () = next(), if !stopped => {
                let room = match overlap {
                    Overlap::Skip => runs.is_empty(),
                    Overlap::Queue => due < MOST_QUEUED,
                    Overlap::Allow => runs.len() < MOST_BESIDE,
                };
                if room { due += 1 } else { skipped(instance, handler) }
            }
            else => return,
        }
        let beside = if overlap == Overlap::Allow { MOST_BESIDE } else { 1 };
        while due > 0 && runs.len() < beside && !core.crash.has_happened() {
            due -= 1;
            runs.push(Box::pin(run()));
        }
        if stopped && runs.is_empty() {
            return;
        }
    }
}

fn skipped<A>(instance: &Instance<A>, handler: &HandlerPlan) {
    let (shared, name) = (&instance.core.shared, &handler.name);
    shared.tallies.of(name, handler.kind).dropped();
    let events = &shared.env.events;
    let agent = || shared.agent.clone();
    events.emit(EventKind::TimerSkipped, || Event::TimerSkipped { agent: agent(), handler: name.clone() });
    if let Some(times) = events.line_due("timer skipped", &format!("{}.{name}", shared.agent)) {
        tracing::warn!(agent = %shared.agent, handler = %name, times, "runs of a timer were left out: the one before still ran");
    }
}
