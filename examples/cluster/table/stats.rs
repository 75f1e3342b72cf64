//! What the events say of agents and handlers.

use std::time::{Duration, Instant};

use formicary::{AgentInfo, AgentStatus, Event, Events, Queue};

use super::latency::Latency;
use super::rates::Rates;
use crate::{apart, queues};

pub struct Stats {
    pub started: Instant,
    pub agents: Vec<AgentStats>,
    pub rates: Rates,
}

pub struct AgentStats {
    pub name: String,
    pub state: &'static str,
    pub restarts: u64,
    pub last_crash: Option<String>,
    pub handlers: Vec<HandlerStats>,
}

pub struct HandlerStats {
    pub name: String,
    /// What it runs on: a signal, a queue, a time.
    pub on: String,
    pub latency: Latency,
    pub done: u64,
    pub failed: u64,
}

impl Stats {
    pub fn new(agents: &[AgentStatus], email_apart: bool, events: Events) -> Self {
        let started = Instant::now();
        let agents = agents.iter().map(|status| AgentStats {
            name: status.info.name.clone(),
            state: "running",
            restarts: status.restarts,
            last_crash: None,
            handlers: handlers(&status.info, started),
        });
        let apart = email_apart.then(|| AgentStats::email_apart(started));
        Self { started, agents: apart.into_iter().chain(agents).collect(), rates: Rates::new(events) }
    }

    pub fn take(&mut self, event: Event) {
        match event {
            Event::Handled { agent, handler, took, .. } => self.ran(&agent, &handler, took, |stats| stats.done += 1),
            Event::Failed { agent, handler, took, .. } => self.ran(&agent, &handler, took, |stats| stats.failed += 1),
            Event::Crashed { agent, handler, message, .. } => self.agent(&agent, |stats| {
                stats.state = "restarting";
                stats.last_crash = Some(format!("{handler}: {message}"));
            }),
            Event::Restarted { agent, .. } => self.agent(&agent, |stats| {
                stats.state = "running";
                stats.restarts += 1;
            }),
            Event::Stopped { agent, .. } => self.agent(&agent, |stats| stats.state = "stopped"),
            _ => {}
        }
    }

    fn agent(&mut self, name: &str, f: impl FnOnce(&mut AgentStats)) {
        if let Some(agent) = self.agents.iter_mut().find(|agent| agent.name == name) {
            f(agent);
        }
    }

    /// Hooks have no row.
    fn ran(&mut self, agent: &str, handler: &str, took: Duration, count: impl FnOnce(&mut HandlerStats)) {
        self.agent(agent, |agent| {
            if let Some(stats) = agent.handlers.iter_mut().find(|stats| stats.name == handler) {
                stats.latency.add(took);
                count(stats);
            }
        });
    }
}

impl AgentStats {
    fn email_apart(started: Instant) -> Self {
        let on = format!("queue {}", queues::Mailer::NAME);
        let deliver =
            HandlerStats { name: apart::HANDLER.to_owned(), on, latency: Latency::new(started), done: 0, failed: 0 };
        let name = apart::AGENT.to_owned();
        Self { name, state: "running", restarts: 0, last_crash: None, handlers: vec![deliver] }
    }
}

fn handlers(info: &AgentInfo, started: Instant) -> Vec<HandlerStats> {
    let receivers = info.receivers.iter().map(|receiver| (&receiver.handler.name, receiver.signals.join(", ")));
    let consumers = info.consumers.iter().map(|consumer| (&consumer.handler.name, format!("queue {}", consumer.queue)));
    let periodic = info.periodic.iter().map(|timer| (&timer.handler.name, timer.when()));
    let cron = info.cron.iter().map(|timer| (&timer.handler.name, format!("cron {}", timer.when())));
    let rows = receivers.chain(consumers).chain(periodic).chain(cron).map(|(name, on)| HandlerStats {
        name: name.clone(),
        on,
        latency: Latency::new(started),
        done: 0,
        failed: 0,
    });
    rows.collect()
}
