use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix::{Actor, System};
use actix_rt::Arbiter;
use formicary_protocol::{CheckMode, Declarations, Prefix};
use tokio::sync::watch;

use super::options::{BrokerKind, BusKind};
use super::{AgentOptions, BrokerConfig, BusConfig, Group};
use crate::agent::{Agent, Routes};
use crate::broker::Broker;
use crate::bus::Bus;
use crate::bus::until_up;
use crate::error::Error;
use crate::events::Events;
use crate::registry::{GroupState, Registry, RestartPolicy};
use crate::{Clock, Env, Ids, Limits};

type SpawnLater = Box<dyn for<'a> FnOnce(&'a Group) -> crate::group::builder::Spawned<'a> + Send>;
type Spawned<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// How long the first connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(6);

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
        let mut owned = Vec::new();
        let bus = start_bus(&self.bus, env.clone())?;
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
            env,
            bus,
            broker,
            registry,
            state: watched,
            agents: AtomicU64::new(0),
            arbiters: handles,
            owned,
            stop_deadline: self.stop_deadline,
            restart: self.restart,
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

async fn connected(group: &Group) -> Result<(), Error> {
    let begun = tokio::time::Instant::now();
    if let Err(reason) = until_up(&mut group.bus.state(), CONNECT_WITHIN).await {
        let address = group.bus.describe().await.map(|description| description.address).unwrap_or_default();
        return Err(Error::Unreachable { what: "bus", address, reason });
    }
    // One time for both; a broker that waited beside its bus is up or known to be down by now.
    let left = CONNECT_WITHIN.saturating_sub(begun.elapsed()).max(Duration::from_millis(500));
    if let Err(reason) = until_up(&mut group.broker.state(), left).await {
        let address = group.broker.describe().await.map(|description| description.address).unwrap_or_default();
        return Err(Error::Unreachable { what: "broker", address, reason });
    }
    Ok(())
}

fn start_bus(config: &BusConfig, env: Env) -> Result<Bus, Error> {
    match &config.0 {
        BusKind::Memory(bus) => Ok(bus.start(env)),
        #[cfg(feature = "redis")]
        BusKind::Redis(config) => crate::bus::redis::start(config, env),
        BusKind::Custom(start) => Ok(start(env)),
    }
}

async fn start_broker(config: &BrokerConfig, env: Env, owned: &mut Vec<Arbiter>) -> Result<Broker, Error> {
    match &config.0 {
        BrokerKind::Memory(broker) => Ok(broker.start(env)),
        #[cfg(feature = "redis")]
        BrokerKind::Redis(config) => {
            let config = config.clone();
            on_its_own_thread(move || crate::broker::redis::start(&config, env), owned).await
        }
        BrokerKind::Custom(start) => {
            let start = start.clone();
            on_its_own_thread(move || Ok(start(env)), owned).await
        }
    }
}

/// A broker with connections gets a thread of its own, so that a handler that holds an arbiter cannot stop its heartbeat.
async fn on_its_own_thread(
    start: impl FnOnce() -> Result<Broker, Error> + Send + 'static,
    owned: &mut Vec<Arbiter>,
) -> Result<Broker, Error> {
    let arbiter = Arbiter::new();
    let (sender, started) = tokio::sync::oneshot::channel();
    arbiter.spawn_fn(move || drop(sender.send(start())));
    let broker = started.await.unwrap_or(Err(Error::Closed("the broker's thread")));
    match broker {
        Ok(broker) => {
            owned.push(arbiter);
            Ok(broker)
        }
        Err(error) => {
            super::end_arbiters(vec![arbiter]).await;
            Err(error)
        }
    }
}
