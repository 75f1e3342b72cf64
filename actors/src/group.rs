//! A group: agents that share a bus, a broker and a life.

mod builder;
mod info;
mod options;
mod start;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Addr;
use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

pub use builder::GroupBuilder;
pub use info::{GroupInfo, GroupSettings, INFO_VERSION};
pub use options::{AgentOptions, BrokerConfig, BusConfig};

use crate::agent::{Agent, Factory, Observer, Routes, Setup, Shell};
use crate::broker::Broker;
use crate::bus::Bus;
use crate::contract::{Pending, Reply};
use crate::error::Error;
use crate::events::Events;
use crate::registry::{AgentId, GroupState, Registry, RestartPolicy, StopAll};
use crate::{Env, Load};
use std::rc::Rc;

/// A running group. It is stopped by [`Group::stop`], which takes it, so that nothing can be spawned after the stop.
///
/// A group that is dropped without a stop runs on until its actix system ends.
#[must_use = "stop the group, or wait for its end: dropped, it runs on"]
pub struct Group {
    /// Each agent keeps it too.
    env: Arc<Env>,
    bus: Bus,
    broker: Broker,
    buses: Routes<Bus>,
    brokers: Routes<Broker>,
    registry: Arc<Addr<Registry>>,
    state: watch::Receiver<GroupState>,
    agents: AtomicU64,
    /// Where agents live: our own arbiters, or the one on which the group was started.
    arbiters: Vec<ArbiterHandle>,
    /// Arbiters that end with the group.
    owned: Vec<Arbiter>,
    stop_deadline: Duration,
    restart: Arc<RestartPolicy>,
    started: Instant,
}

/// Known when an agent has started, or has not.
type Started = Pending<Result<(), Error>>;

/// How a group ended. As a process's exit code: 0, 1, 2 or 3.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It was stopped, or all its agents ended by themselves.
    Clean,
    /// It could not start, or its agents have ended and one of them by a crash.
    Failed,
    /// It could not start because its configuration is wrong: an agent that does not fit, a setting, a declaration.
    Misconfigured,
    /// An agent crashed too often.
    TooManyCrashes {
        /// The agent.
        agent: String,
        /// Its last crash.
        message: String,
    },
}

impl Exit {
    /// How a group ended that could not start.
    pub fn of_start(error: &Error) -> Self {
        match error {
            Error::Misfit { .. } | Error::Settings(_) | Error::Protocol(_) => Self::Misconfigured,
            _ => Self::Failed,
        }
    }

    /// The exit code: 0 clean, 1 failed, 2 misconfigured, 3 too many crashes.
    pub fn code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Misconfigured => 2,
            Self::TooManyCrashes { .. } => 3,
        }
    }
}

impl Group {
    /// A group with everything at its default: `memory://`, no declarations, no agents.
    pub fn builder() -> GroupBuilder {
        GroupBuilder::new()
    }

    /// The group's default bus.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The group's default broker.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What happens in the group.
    pub fn events(&self) -> &Events {
        &self.env.events
    }

    /// What the group's parts share.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Adds an agent to the running group; returns when its subscriptions are live and `post_start` has run.
    ///
    /// # Errors
    /// When the agent does not fit its declarations, or a hook fails.
    pub async fn spawn<A: Agent>(&self, factory: impl Fn() -> A + Send + Sync + 'static) -> Result<(), Error> {
        self.spawn_with(AgentOptions::new(), factory).await
    }

    /// Adds an agent with options.
    ///
    /// # Errors
    /// As [`Group::spawn`].
    pub async fn spawn_with<A: Agent>(
        &self,
        options: AgentOptions,
        factory: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let factory: Factory<A> = Arc::new(factory);
        let restart = options.restart.map_or_else(|| self.restart.clone(), Arc::new);
        for _ in 0..options.instances.get() {
            let (setup, started) = self.setup(&options, restart.clone()).await;
            let factory = factory.clone();
            match self.arbiters.len() {
                0 => Shell::launch(setup, factory),
                n => {
                    let at = usize::try_from(setup.id.0).unwrap_or_default() % n;
                    self.arbiters[at].spawn_fn(move || Shell::launch(setup, factory));
                }
            }
            started.await.unwrap_or(Err(Error::Closed("the arbiter of the agent")))?;
        }
        Ok(())
    }

    /// Adds one agent on this arbiter, with somebody who is told of its instances.
    pub(crate) async fn spawn_observed<A: Agent>(
        &self,
        options: AgentOptions,
        factory: Factory<A>,
        observer: Rc<dyn Observer<A>>,
    ) -> Result<(), Error> {
        let restart = options.restart.map_or_else(|| self.restart.clone(), Arc::new);
        let (setup, started) = self.setup(&options, restart).await;
        Shell::launch_observed(setup, factory, Some(observer));
        started.await.unwrap_or(Err(Error::Closed("the arbiter of the agent")))
    }

    async fn setup(&self, options: &AgentOptions, restart: Arc<RestartPolicy>) -> (Setup, Started) {
        let id = AgentId(self.agents.fetch_add(1, Ordering::Relaxed));
        let (reply, started) = Reply::new();
        let (buses, brokers) = (options.buses(&self.buses), options.brokers(&self.brokers));
        for bus in buses.all() {
            bus.ask_link().await;
        }
        for broker in brokers.all() {
            broker.ask_link().await;
        }
        let setup = Setup {
            id,
            name: options.name.clone(),
            env: self.env.clone(),
            buses,
            brokers,
            settings: options.settings.clone(),
            flags: options.flags,
            registry: self.registry.clone(),
            restart,
            started: reply,
        };
        (setup, started)
    }

    /// Returns when the group should stop by itself: every agent has ended, or one crashed too often. It still has to be
    /// stopped then.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) -> Exit {
        let mut state = self.state.clone();
        loop {
            match state.borrow_and_update().clone() {
                GroupState::Running => {}
                GroupState::AllEnded { failed: true } => return Exit::Failed,
                GroupState::AllEnded { failed: false } => return Exit::Clean,
                GroupState::TooManyCrashes { agent, message } => return Exit::TooManyCrashes { agent, message },
            }
            if state.changed().await.is_err() {
                return Exit::Failed;
            }
        }
    }

    /// Stops the group: agents in reverse order of their start, each as its running handlers finish, then broker and bus.
    /// What does not finish by the deadline (default 10 s) is cut off; nothing is dead-lettered.
    pub async fn stop(self) -> Exit {
        let deadline = self.stop_deadline;
        self.stop_within(deadline).await
    }

    /// What the group has in hand now.
    pub fn load(&self) -> Load {
        self.env.gauge.load()
    }

    /// Stops the group with another deadline.
    pub async fn stop_within(self, deadline: Duration) -> Exit {
        self.stop_agents_within(deadline).await.close().await
    }

    /// Stops the agents and leaves bus and broker open, for a last look at them.
    pub async fn stop_agents(self) -> Stopped {
        let deadline = self.stop_deadline;
        self.stop_agents_within(deadline).await
    }

    /// Stops the agents with another deadline.
    pub async fn stop_agents_within(self, deadline: Duration) -> Stopped {
        let exit = match &*self.state.borrow() {
            GroupState::TooManyCrashes { agent, message } => {
                Exit::TooManyCrashes { agent: agent.clone(), message: message.clone() }
            }
            GroupState::AllEnded { failed: true } => Exit::Failed,
            _ => Exit::Clean,
        };
        let deadline = crate::clock::after(deadline);
        // What is accepted while the agents stop still has to go out.
        let kept = Duration::from_millis(500).min(deadline.saturating_duration_since(Instant::now()) / 10);
        let (reply, stopped) = Reply::new();
        self.registry.do_send(StopAll { deadline: deadline - kept, reply });
        stopped.await;
        Stopped { group: self, exit, deadline, kept }
    }
}

/// A group whose agents have stopped, with its bus and broker still open.
#[derive(Debug)]
pub struct Stopped {
    group: Group,
    exit: Exit,
    deadline: Instant,
    kept: Duration,
}

impl Stopped {
    /// The group's default bus.
    pub fn bus(&self) -> &Bus {
        &self.group.bus
    }

    /// The group's default broker.
    pub fn broker(&self) -> &Broker {
        &self.group.broker
    }

    /// What happened in the group.
    pub fn events(&self) -> &Events {
        &self.group.env.events
    }

    /// Closes broker and bus: what they have accepted goes out by the deadline of the stop.
    pub async fn close(self) -> Exit {
        let group = self.group;
        let deadline = self.deadline.max(crate::clock::after(self.kept));
        // An adapter keeps its own deadline; this one is for an adapter whose thread stands still.
        let patience = deadline + Duration::from_millis(500);
        for closed in [
            timeout_at(patience, group.broker.close(deadline)).await,
            timeout_at(patience, group.bus.close(deadline)).await,
        ] {
            if closed.is_err() {
                tracing::error!("an adapter did not close in time");
            }
        }
        end_arbiters(group.owned).await;
        self.exit
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

/// Stops arbiters and waits for their threads, 1 s for all of them. A thread that a handler holds is left behind, and said
/// so. The waiting has a thread of its own, and not one of the runtime's: that would wait for it in turn.
async fn end_arbiters(arbiters: Vec<Arbiter>) {
    if arbiters.is_empty() {
        return;
    }
    for arbiter in &arbiters {
        arbiter.stop();
    }
    let (sender, joined) = tokio::sync::oneshot::channel();
    let join = move || {
        for arbiter in arbiters {
            // A panic of a thread that is gone matters no more.
            drop(arbiter.join());
        }
        // Nobody may wait any more.
        let _ = sender.send(());
    };
    let begun = std::thread::Builder::new().name("formicary-join".to_owned()).spawn(join);
    if begun.is_err() || tokio::time::timeout(Duration::from_secs(1), joined).await.is_err() {
        tracing::error!("an arbiter did not end: a handler holds its thread");
    }
}
