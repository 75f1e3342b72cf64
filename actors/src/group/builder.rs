use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix::{Actor, System};
use actix_rt::Arbiter;
use formicary_protocol::{CheckMode, Declarations, Prefix};
use tokio::sync::watch;
use tokio::time::Instant;

use super::start::{connected, start_broker};
use super::{AgentOptions, BrokerConfig, BusConfig, Group};
use crate::agent::{Agent, Routes};
use crate::blocking::Pool;
use crate::error::Error;
use crate::events::Events;
use crate::layers::{Layer, Layers};
use crate::registry::{GroupState, Registry, RestartPolicy};
use crate::{Clock, Env, Ids, Limits};

type SpawnLater = Box<dyn for<'a> FnOnce(&'a Group) -> crate::group::builder::Spawned<'a> + Send>;
type Spawned<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// How many threads blocking handlers have.
const BLOCKING_THREADS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Builds a group.
pub struct GroupBuilder {
    declarations: Declarations,
    prefix: Option<Prefix>,
    check: CheckMode,
    clock: Clock,
    ids: Ids,
    limits: Limits,
    events: Events,
    bus: BusConfig,
    broker: BrokerConfig,
    arbiters: Option<NonZeroUsize>,
    stop_deadline: Duration,
    restart: RestartPolicy,
    layers: Layers,
    traced: bool,
    metered: bool,
    blocking_threads: NonZeroUsize,
    agents: Vec<SpawnLater>,
}

impl std::fmt::Debug for GroupBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("GroupBuilder");
        debug.field("bus", &self.bus).field("broker", &self.broker).field("agents", &self.agents.len());
        debug.finish_non_exhaustive()
    }
}

impl GroupBuilder {
    pub(super) fn new() -> Self {
        Self {
            declarations: Declarations::default(),
            prefix: None,
            check: CheckMode::default(),
            clock: Clock::default(),
            ids: Ids::default(),
            limits: Limits::default(),
            events: Events::default(),
            bus: BusConfig::default(),
            broker: BrokerConfig::default(),
            arbiters: None,
            stop_deadline: Duration::from_secs(10),
            restart: RestartPolicy::default(),
            layers: Layers::default(),
            traced: true,
            metered: false,
            blocking_threads: BLOCKING_THREADS,
            agents: Vec::new(),
        }
    }

    /// The signals and queues that the group may use.
    #[must_use]
    pub fn declarations(mut self, declarations: Declarations) -> Self {
        self.declarations = declarations;
        self
    }

    /// The prefix of every channel. Default: `default_prefix` of the declarations, else `PUBSUB`.
    #[must_use]
    pub fn prefix(mut self, prefix: Prefix) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// What is done about payloads that do not fit their declaration. Default `warn`.
    #[must_use]
    pub fn check(mut self, check: CheckMode) -> Self {
        self.check = check;
        self
    }

    /// Where wall time comes from. Default: the system.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where ids and jitter come from. Default: the system's randomness.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// The bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The stream of events, for a listener that wants to hear the start too.
    #[must_use]
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// The bus. Default `memory://`.
    #[must_use]
    pub fn bus(mut self, bus: BusConfig) -> Self {
        self.bus = bus;
        self
    }

    /// The broker. Default `memory://`.
    #[must_use]
    pub fn broker(mut self, broker: BrokerConfig) -> Self {
        self.broker = broker;
        self
    }

    /// Spreads agents over so many arbiters, each a thread of its own, in turns. Default: all agents live on the arbiter
    /// on which the group is started.
    #[must_use]
    pub fn arbiters(mut self, arbiters: NonZeroUsize) -> Self {
        self.arbiters = Some(arbiters);
        self
    }

    /// Puts a layer around every handler of every agent, inside of those that were added before. The order of all layers
    /// stands in [`crate::layers`].
    #[must_use]
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.add(layer);
        self
    }

    /// Whether each run of a handler has a span of `tracing`, named `handle`. Default: yes; without a subscriber that wants
    /// it, it costs nothing.
    #[must_use]
    pub fn trace(mut self, trace: bool) -> Self {
        self.traced = trace;
        self
    }

    /// Whether each run of a handler adds to the metrics of the `metrics` facade. Default: no. Install the recorder before
    /// the group starts: the instruments are asked for once.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics(mut self, metrics: bool) -> Self {
        self.metered = metrics;
        self
    }

    /// How many threads the blocking handlers of the group share. They are started when they are needed. Default 4.
    #[must_use]
    pub fn blocking_threads(mut self, threads: NonZeroUsize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// How long a stop may take. Default 10 s.
    #[must_use]
    pub fn stop_deadline(mut self, deadline: Duration) -> Self {
        self.stop_deadline = deadline;
        self
    }

    /// How agents are restarted that do not say so themselves.
    #[must_use]
    pub fn restart(mut self, restart: RestartPolicy) -> Self {
        self.restart = restart;
        self
    }

    /// Adds an agent. The factory is called for each instance: at the start, and after each crash.
    #[must_use]
    pub fn agent<A: Agent>(self, factory: impl Fn() -> A + Send + Sync + 'static) -> Self {
        self.agent_with(AgentOptions::new(), factory)
    }

    /// Adds an agent with options.
    #[must_use]
    pub fn agent_with<A: Agent>(
        mut self,
        options: AgentOptions,
        factory: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        self.agents.push(Box::new(move |group| Box::pin(async move { group.spawn_with(options, factory).await })));
        self
    }

    /// Connects, then starts the agents in the order in which they were added. Returns when all subscriptions are live.
    ///
    /// # Errors
    /// When a server cannot be reached within 6 s, or an agent does not start. What had started is stopped again.
    pub async fn start(self) -> Result<Group, Error> {
        if System::try_current().is_none() {
            return Err(Error::NoSystem);
        }
        let prefix = self.prefix.or_else(|| self.declarations.default_prefix().cloned()).unwrap_or_default();
        let mut env = Env::new(prefix, Arc::new(self.declarations));
        env.check = self.check;
        env.clock = self.clock;
        env.ids = self.ids;
        env.limits = self.limits;
        env.events = self.events;
        env.layers = self.layers;
        env.traced = self.traced;
        env.metered = self.metered;
        env.pool = Pool::new(self.blocking_threads);
        let mut owned = Vec::new();
        let bus = self.bus.start(env.clone())?;
        let broker = match start_broker(&self.broker, env.clone(), &mut owned).await {
            Ok(broker) => broker,
            Err(error) => {
                bus.close(crate::clock::after(Duration::from_secs(1))).await;
                return Err(error);
            }
        };
        let arbiters: Vec<Arbiter> = self.arbiters.map_or(0..0, |n| 0..n.get()).map(|_| Arbiter::new()).collect();
        let handles = arbiters.iter().map(Arbiter::handle).collect();
        owned.extend(arbiters);
        let (state, watched) = watch::channel(GroupState::Running);
        let registry = Registry::new(&env, state).start();
        let group = Group {
            buses: Routes { default: Some(bus.clone()), named: BTreeMap::new() },
            brokers: Routes { default: Some(broker.clone()), named: BTreeMap::new() },
            env: Arc::new(env),
            bus,
            broker,
            registry: Arc::new(registry),
            state: watched,
            agents: AtomicU64::new(0),
            arbiters: handles,
            owned,
            stop_deadline: self.stop_deadline,
            restart: Arc::new(self.restart),
            started: Instant::now(),
        };
        let begun = async {
            connected(&group).await?;
            for spawn in self.agents {
                spawn(&group).await?;
            }
            Ok(())
        };
        match begun.await {
            Ok(()) => Ok(group),
            Err(error) => {
                group.stop_within(Duration::from_secs(2)).await;
                Err(error)
            }
        }
    }
}
