//! What is declared, handler by handler.

use serde::Serialize;

use super::HandlerCounts;
use crate::agent::plan::{HandlerPlan, Plan, ReceiverPlan};
use crate::agent::{Overlap, Turn};
use crate::events::HandlerKind;

/// What handlers of every kind have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HandlerInfo {
    /// The handler's name.
    pub name: String,
    /// How it borrows its agent.
    pub turn: Turn,
    /// How long one run may take, in seconds; `None` for servers.
    pub timeout: Option<f64>,
    /// How many layers stand around it: the group's, the agent's and its own.
    pub layers: usize,
    /// Whether it runs on the group's blocking threads.
    pub blocking: bool,
    /// What became of its runs.
    pub counts: HandlerCounts,
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReceiverInfo {
    /// What all handlers have.
    #[serde(flatten)]
    pub handler: HandlerInfo,
    /// The signals, one or more.
    pub signals: Vec<String>,
    /// The patterns that some or all of the signals come from.
    pub patterns: Vec<String>,
    /// Whether a filter says which payloads are handled.
    pub filter: bool,
    /// How many handlings run at once.
    pub concurrency: usize,
    /// How many signals and calls may wait.
    pub inbox: usize,
    /// How many handlings may begin in a second; `None` without such a bound.
    pub rate: Option<u32>,
}

/// A consumer of a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// What all handlers have.
    #[serde(flatten)]
    pub handler: HandlerInfo,
    /// The queue.
    pub queue: String,
    /// How many messages are in hand at once; of a consumer of batches, how many batches.
    pub concurrency: usize,
    /// How many handlings may begin in a second; `None` without such a bound.
    pub rate: Option<u32>,
    /// What is done about a message whose handler failed.
    pub retry: RetryInfo,
    /// Whether a message that is given up becomes a dead letter.
    pub dead_letter: bool,
    /// The hook that runs when a message is given up, if there is one.
    pub on_exhausted: Option<String>,
    /// Whether messages with one key are handled one after another.
    pub ordered: bool,
    /// How messages are told to be the same; `None` when they are not.
    pub dedup: Option<DedupInfo>,
    /// How large batches are; `None` for a consumer of single messages.
    pub batch: Option<BatchInfo>,
}

/// When a batch is handed out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BatchInfo {
    /// It holds so many messages at most.
    pub most: usize,
    /// Its first message waits so long at most, in seconds.
    pub wait: f64,
}

/// When a message whose handler failed is tried again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RetryInfo {
    /// How often it is tried, the first time included.
    pub attempts: u32,
    /// How the waits grow: `constant`, `linear`, `exponential`, or `custom`.
    pub backoff: &'static str,
    /// The wait after the first attempt, in seconds; `None` for `custom`.
    pub first: Option<f64>,
    /// No wait is longer, in seconds; `None` for `custom`.
    pub most: Option<f64>,
    /// The least part of a wait that jitter leaves, from 0 to 1.
    pub jitter: f64,
    /// Whether some errors are not worth another attempt.
    pub selective: bool,
}

/// How messages are told to be the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DedupInfo {
    /// By what: `id`, the sender's, or `key`, read from the message.
    pub by: &'static str,
    /// How long a message is remembered, in seconds.
    pub window: f64,
}

/// A periodic task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PeriodicInfo {
    /// What all handlers have.
    #[serde(flatten)]
    pub handler: HandlerInfo,
    /// The period in seconds.
    pub period: f64,
    /// The wait before the first run, in seconds.
    pub start_after: f64,
    /// What happens when a run is due and the one before it still runs.
    pub overlap: Overlap,
}

/// A cron task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CronInfo {
    /// What all handlers have.
    #[serde(flatten)]
    pub handler: HandlerInfo,
    /// The cron expression.
    pub expression: String,
    /// Its time zone, by its IANA name.
    pub timezone: String,
    /// What happens when a run is due and the one before it still runs.
    pub overlap: Overlap,
    /// When it is due next, by the group's clock: RFC 3339, in its own time zone. `None` when timers do not run.
    pub next: Option<String>,
}

impl PeriodicInfo {
    /// When it runs, for people: `every 15s`.
    pub fn when(&self) -> String {
        format!("every {}", super::span(self.period))
    }
}

impl CronInfo {
    /// When it runs, for people: `0 8 * * MON (Europe/Berlin)`.
    pub fn when(&self) -> String {
        format!("{} ({})", self.expression, self.timezone)
    }
}

/// A hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HookInfo {
    /// What all handlers have.
    #[serde(flatten)]
    pub handler: HandlerInfo,
    /// When it runs: `pre_start`, `post_start`, `pre_stop`, or `exhausted`: when a message is given up.
    pub on: &'static str,
}

/// Something that a handler sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutputInfo {
    /// The handler.
    pub handler: String,
    /// `publishes`, `calls` or `pushes`.
    pub verb: &'static str,
    /// The signal or queue.
    pub name: String,
}

/// Tells what one agent declared; `outer` is how many layers the group has.
pub(crate) struct Declared<'a, A> {
    pub(crate) plan: &'a Plan<A>,
    pub(crate) outer: usize,
}

impl<A> Declared<'_, A> {
    fn handler(&self, plan: &HandlerPlan, timeout: Option<std::time::Duration>, own: usize) -> HandlerInfo {
        HandlerInfo {
            name: plan.name.to_string(),
            turn: plan.turn,
            timeout: timeout.map(|timeout| timeout.as_secs_f64()),
            layers: self.outer + self.plan.layers.0.len() + own,
            // Of these kinds only a handler on the pool has no turn.
            blocking: plan.turn == Turn::None && !matches!(plan.kind, HandlerKind::Hook | HandlerKind::Server),
            counts: HandlerCounts::default(),
        }
    }

    pub(crate) fn receivers<'b>(&self, plans: impl IntoIterator<Item = &'b ReceiverPlan<A>>) -> Vec<ReceiverInfo>
    where
        A: 'b,
    {
        let receivers = plans.into_iter().map(|plan| ReceiverInfo {
            handler: self.handler(&plan.handler, Some(plan.options.timeout), plan.options.layers.0.len()),
            signals: plan.signals.iter().map(ToString::to_string).collect(),
            patterns: plan.patterns.iter().map(ToString::to_string).collect(),
            filter: plan.options.filter.is_some(),
            concurrency: plan.options.concurrency.get(),
            inbox: plan.options.inbox.get(),
            rate: plan.options.rate.map(Into::into),
        });
        receivers.collect()
    }

    pub(super) fn consumers(&self) -> Vec<ConsumerInfo> {
        let consumers = self.plan.consumers.iter().map(|plan| ConsumerInfo {
            handler: self.handler(&plan.handler, Some(plan.options.timeout), plan.options.layers.0.len()),
            queue: plan.queue.name.to_owned(),
            concurrency: plan.options.concurrency.get(),
            rate: plan.options.rate.map(Into::into),
            retry: plan.options.retry.info(),
            dead_letter: plan.options.dead_letter,
            on_exhausted: self.on_exhausted(plan.queue.name),
            ordered: plan.options.by.is_some(),
            dedup: plan.options.dedup.as_ref().map(|dedup| DedupInfo {
                by: if dedup.key.is_some() { "key" } else { "id" },
                window: dedup.window.as_secs_f64(),
            }),
            batch: plan.options.batch.map(|batch| BatchInfo { most: batch.most.get(), wait: batch.wait.as_secs_f64() }),
        });
        consumers.collect()
    }

    fn on_exhausted(&self, queue: &str) -> Option<String> {
        let hook = self.plan.exhausted.iter().find(|plan| plan.queue.name == queue)?;
        Some(hook.hook.handler.name.to_string())
    }

    pub(super) fn periodic(&self) -> Vec<PeriodicInfo> {
        let periodic = self.plan.periodic.iter().map(|plan| {
            let timeout = plan.options.timeout.unwrap_or(plan.period);
            PeriodicInfo {
                handler: self.handler(&plan.handler, Some(timeout), plan.options.layers.0.len()),
                period: plan.period.as_secs_f64(),
                start_after: plan.options.start_after.as_secs_f64(),
                overlap: plan.options.overlap,
            }
        });
        periodic.collect()
    }

    pub(super) fn cron(&self) -> Vec<CronInfo> {
        let cron = self.plan.cron.iter().map(|plan| CronInfo {
            handler: self.handler(&plan.handler, Some(plan.options.timeout), plan.options.layers.0.len()),
            expression: plan.cron.expression().to_owned(),
            timezone: plan.cron.zone().to_string(),
            overlap: plan.options.overlap,
            next: None,
        });
        cron.collect()
    }

    pub(super) fn hooks(&self) -> Vec<HookInfo> {
        let plan = self.plan;
        let before = plan.pre_start.iter().map(|hook| ("pre_start", &hook.handler, &hook.options));
        let after = plan.post_start.iter().map(|hook| ("post_start", &hook.handler, &hook.options));
        let last = plan.pre_stop.iter().map(|hook| ("pre_stop", &hook.handler, &hook.options));
        let exhausted = plan.exhausted.iter().map(|plan| ("exhausted", &plan.hook.handler, &plan.hook.options));
        let hooks = before.chain(after).chain(last).chain(exhausted).map(|(on, handler, options)| HookInfo {
            handler: self.handler(handler, Some(options.timeout), options.layers.0.len()),
            on,
        });
        hooks.collect()
    }

    pub(super) fn servers(&self) -> Vec<HandlerInfo> {
        let servers = self.plan.servers.iter();
        servers.map(|server| self.handler(&server.handler, None, server.options.layers.0.len())).collect()
    }

    /// What the receivers beside the plan send, and all that are in it.
    pub(crate) fn outputs<'b>(&self, beside: impl IntoIterator<Item = &'b ReceiverPlan<A>>) -> Vec<OutputInfo>
    where
        A: 'b,
    {
        let beside = beside.into_iter().map(|plan| &plan.handler);
        let outputs = beside.chain(self.plan.handlers()).flat_map(|handler| {
            let needs = &handler.needs;
            let publishes = needs.publishes.iter().map(|signal| ("publishes", signal.name));
            let calls = needs.calls.iter().map(|signal| ("calls", signal.name));
            let pushes = needs.pushes.iter().chain(&needs.outboxes).map(|queue| ("pushes", queue.name));
            publishes.chain(calls).chain(pushes).map(|(verb, name)| OutputInfo {
                handler: handler.name.to_string(),
                verb,
                name: name.to_owned(),
            })
        });
        outputs.collect()
    }
}
