use std::fmt;

use serde::Serialize;

use super::plan::{HandlerPlan, Plan, ReceiverPlan};
use super::shared::Shared;
use super::turns::Turn;

/// What an agent is. It holds no secret: addresses come without passwords.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentInfo {
    /// The agent's name.
    pub name: String,
    /// The name of its type.
    pub agent: String,
    /// Its uid, the responder of its answers.
    pub uid: String,
    /// The buses that it uses, by adapter and address; empty when it has none.
    pub buses: Vec<String>,
    /// The brokers that it uses, by adapter and address; empty when it has none.
    pub brokers: Vec<String>,
    /// One entry for each handler and signal.
    pub receivers: Vec<ReceiverInfo>,
    /// One entry for each consumer.
    pub consumers: Vec<ConsumerInfo>,
    /// Periodic tasks.
    pub periodic: Vec<TimerInfo>,
    /// Cron tasks.
    pub cron: Vec<TimerInfo>,
    /// Hooks, by when they run.
    pub hooks: Vec<(String, String)>,
    /// Servers.
    pub servers: Vec<String>,
    /// What the handlers send: the edges of the cluster's graph.
    pub outputs: Vec<OutputInfo>,
}

/// A receiver of one signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReceiverInfo {
    /// The handler.
    pub name: String,
    /// The signal.
    pub signal: String,
    /// How it borrows its agent.
    pub turn: Turn,
    /// Its timeout in seconds.
    pub timeout: f64,
    /// How many handlings run at once.
    pub concurrency: usize,
    /// How many signals wait.
    pub inbox: usize,
}

/// A consumer of a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The handler.
    pub name: String,
    /// The queue.
    pub queue: String,
    /// How it borrows its agent.
    pub turn: Turn,
    /// Its timeout in seconds.
    pub timeout: f64,
    /// How many messages are in hand at once.
    pub concurrency: usize,
}

/// A timer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TimerInfo {
    /// The handler.
    pub name: String,
    /// The period or the cron expression with its zone.
    pub when: String,
    /// How it borrows its agent.
    pub turn: Turn,
    /// Its timeout in seconds.
    pub timeout: f64,
}

/// Something that a handler sends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutputInfo {
    /// The handler.
    pub handler: String,
    /// `publishes`, `calls` or `pushes`.
    pub verb: &'static str,
    /// The signal or queue.
    pub name: String,
}

impl AgentInfo {
    pub(crate) fn of<A>(plan: &Plan<A>, shared: &Shared, buses: Vec<String>, brokers: Vec<String>) -> Self {
        let consumers = plan.consumers.iter().map(|plan| ConsumerInfo {
            name: plan.handler.name.to_string(),
            queue: plan.queue.name.to_owned(),
            turn: plan.handler.turn,
            timeout: plan.options.timeout.as_secs_f64(),
            concurrency: plan.options.concurrency.get(),
        });
        let periodic = plan.periodic.iter().map(|plan| TimerInfo {
            name: plan.handler.name.to_string(),
            when: format!("every {:?}", plan.period),
            turn: plan.handler.turn,
            timeout: plan.options.timeout.unwrap_or(plan.period).as_secs_f64(),
        });
        let cron = plan.cron.iter().map(|plan| TimerInfo {
            name: plan.handler.name.to_string(),
            when: plan.cron.to_string(),
            turn: plan.handler.turn,
            timeout: plan.options.timeout.as_secs_f64(),
        });
        let hooks = [
            ("pre_start", plan.pre_start.iter().map(|hook| &hook.handler.name).collect::<Vec<_>>()),
            ("post_start", plan.post_start.iter().map(|hook| &hook.handler.name).collect()),
            ("pre_stop", plan.pre_stop.iter().map(|hook| &hook.handler.name).collect()),
        ];
        Self {
            name: shared.agent.to_string(),
            agent: shared.type_name.to_string(),
            uid: shared.uid.to_string(),
            buses,
            brokers,
            receivers: receivers(plan.receivers.iter()),
            consumers: consumers.collect(),
            periodic: periodic.collect(),
            cron: cron.collect(),
            hooks: hooks
                .into_iter()
                .flat_map(|(when, names)| names.into_iter().map(move |name| (when.to_owned(), name.to_string())))
                .collect(),
            servers: plan.servers.iter().map(|server| server.handler.name.to_string()).collect(),
            outputs: outputs(plan.handlers()),
        }
    }

    /// The same agent with other receivers than its plan has.
    pub(crate) fn with_receivers<'a, A: 'a, R: Iterator<Item = &'a ReceiverPlan<A>>>(
        &self,
        plan: &Plan<A>,
        plans: impl Fn() -> R,
    ) -> Self {
        let outputs = outputs(plans().map(|plan| &plan.handler).chain(plan.handlers()));
        Self { receivers: receivers(plans()), outputs, ..self.clone() }
    }
}

fn receivers<'a, A: 'a>(plans: impl Iterator<Item = &'a ReceiverPlan<A>>) -> Vec<ReceiverInfo> {
    let of = |plan: &'a ReceiverPlan<A>| {
        plan.signals.iter().map(|signal| ReceiverInfo {
            name: plan.handler.name.to_string(),
            signal: signal.to_string(),
            turn: plan.handler.turn,
            timeout: plan.options.timeout.as_secs_f64(),
            concurrency: plan.options.concurrency.get(),
            inbox: plan.options.inbox.get(),
        })
    };
    plans.flat_map(of).collect()
}

fn outputs<'a>(handlers: impl Iterator<Item = &'a HandlerPlan>) -> Vec<OutputInfo> {
    let mut outputs = Vec::new();
    for handler in handlers {
        let needs = &handler.needs;
        let publishes = needs.publishes.iter().map(|signal| ("publishes", signal.name));
        let calls = needs.calls.iter().map(|signal| ("calls", signal.name));
        let pushes = needs.pushes.iter().map(|queue| ("pushes", queue.name));
        outputs.extend(publishes.chain(calls).chain(pushes).map(|(verb, name)| OutputInfo {
            handler: handler.name.to_string(),
            verb,
            name: name.to_owned(),
        }));
    }
    outputs
}

impl fmt::Display for AgentInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, uid {})", self.name, self.agent, self.uid)?;
        for link in self.buses.iter().chain(&self.brokers) {
            write!(f, "\n  on {link}")?;
        }
        for receiver in &self.receivers {
            write!(f, "\n  {} receives {}", receiver.name, receiver.signal)?;
        }
        for consumer in &self.consumers {
            write!(f, "\n  {} consumes {}, {} at once", consumer.name, consumer.queue, consumer.concurrency)?;
        }
        for timer in self.periodic.iter().chain(&self.cron) {
            write!(f, "\n  {} runs {}", timer.name, timer.when)?;
        }
        for output in &self.outputs {
            write!(f, "\n  {} {} {}", output.handler, output.verb, output.name)?;
        }
        Ok(())
    }
}
