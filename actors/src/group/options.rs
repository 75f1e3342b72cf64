use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use actix::System;
use serde_json::Value;

use crate::Env;
use crate::agent::{Routes, StartFlags};
use crate::broker::{Broker, MemoryBroker};
use crate::bus::{Bus, MemoryBus};
use crate::error::Error;
use crate::registry::RestartPolicy;
use crate::testing::{RecordingBroker, RecordingBus};

/// How one agent is spawned.
#[derive(Clone)]
pub struct AgentOptions {
    pub(crate) name: Option<String>,
    pub(crate) instances: NonZeroUsize,
    pub(crate) settings: Value,
    pub(crate) flags: StartFlags,
    pub(crate) restart: Option<RestartPolicy>,
    pub(crate) signals_on: BTreeMap<String, Bus>,
    pub(crate) queues_on: BTreeMap<String, Broker>,
}

impl std::fmt::Debug for AgentOptions {
    /// Without the settings, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("AgentOptions");
        debug.field("name", &self.name).field("instances", &self.instances).field("flags", &self.flags);
        debug.field("restart", &self.restart).finish_non_exhaustive()
    }
}

impl Default for AgentOptions {
    fn default() -> Self {
        Self {
            name: None,
            instances: NonZeroUsize::MIN,
            settings: Value::Null,
            flags: StartFlags::default(),
            restart: None,
            signals_on: BTreeMap::new(),
            queues_on: BTreeMap::new(),
        }
    }
}

impl AgentOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The agent's name, instead of that of its declaration.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// How many agents of this kind are spawned. Default 1.
    #[must_use]
    pub fn instances(mut self, instances: NonZeroUsize) -> Self {
        self.instances = instances;
        self
    }

    /// The agent's own settings, for [`Settings`](crate::agent::Settings) and [`Cx::settings`](crate::agent::Cx::settings).
    #[must_use]
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// Which parts of the agent run. Default: all.
    #[must_use]
    pub fn flags(mut self, flags: StartFlags) -> Self {
        self.flags = flags;
        self
    }

    /// How the agent is restarted. Default: as its group says.
    #[must_use]
    pub fn restart(mut self, restart: RestartPolicy) -> Self {
        self.restart = Some(restart);
        self
    }

    /// Carries one signal of this agent on another bus than the group's.
    #[must_use]
    pub fn signal_on(mut self, signal: &str, bus: Bus) -> Self {
        self.signals_on.insert(signal.to_owned(), bus);
        self
    }

    /// Carries one queue of this agent on another broker than the group's.
    #[must_use]
    pub fn queue_on(mut self, queue: &str, broker: Broker) -> Self {
        self.queues_on.insert(queue.to_owned(), broker);
        self
    }

    pub(crate) fn buses(&self, group: &Routes<Bus>) -> Routes<Bus> {
        Routes { default: group.default.clone(), named: self.signals_on.clone() }
    }

    pub(crate) fn brokers(&self, group: &Routes<Broker>) -> Routes<Broker> {
        Routes { default: group.default.clone(), named: self.queues_on.clone() }
    }
}

/// Which bus a group uses. Parsed from a URL: `memory://`, `redis://[user:password@]host[:port][/db]`,
/// `amqp://[user:password@]host[:port][/vhost]`.
#[derive(Clone)]
pub struct BusConfig(pub(crate) BusKind);

#[derive(Clone)]
pub(crate) enum BusKind {
    Memory(MemoryBus),
    #[cfg(feature = "redis")]
    Redis(crate::RedisConfig),
    #[cfg(feature = "amqp")]
    Amqp(crate::AmqpConfig),
    Custom(Arc<dyn Fn(Env) -> Bus + Send + Sync>),
    Recording(RecordingBus),
}

/// Which broker a group uses. Parsed from a URL: `memory://`, `redis://[user:password@]host[:port][/db]`,
/// `amqp://[user:password@]host[:port][/vhost]`.
#[derive(Clone)]
pub struct BrokerConfig(pub(crate) BrokerKind);

#[derive(Clone)]
pub(crate) enum BrokerKind {
    Memory(MemoryBroker),
    #[cfg(feature = "redis")]
    Redis(crate::RedisConfig),
    #[cfg(feature = "amqp")]
    Amqp(crate::AmqpConfig),
    Custom(Arc<dyn Fn(Env) -> Broker + Send + Sync>),
    Recording(RecordingBroker),
}

impl Default for BusConfig {
    fn default() -> Self {
        Self::memory(MemoryBus::new())
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self::memory(MemoryBroker::new())
    }
}

impl BusConfig {
    /// A bus in memory, which other groups may share.
    pub fn memory(bus: MemoryBus) -> Self {
        Self(BusKind::Memory(bus))
    }

    /// A test double.
    pub fn recording(bus: RecordingBus) -> Self {
        Self(BusKind::Recording(bus))
    }

    /// A bus on Redis.
    #[cfg(feature = "redis")]
    pub fn redis(config: crate::RedisConfig) -> Self {
        Self(BusKind::Redis(config))
    }

    /// A bus on RabbitMQ.
    #[cfg(feature = "amqp")]
    pub fn amqp(config: crate::AmqpConfig) -> Self {
        Self(BusKind::Amqp(config))
    }

    /// An adapter of your own: starts its actor on the current arbiter and gives its handle.
    pub fn custom(start: impl Fn(Env) -> Bus + Send + Sync + 'static) -> Self {
        Self(BusKind::Custom(Arc::new(start)))
    }

    /// Starts the adapter without a group, on the current arbiter, and returns at once: the state of the bus says when it
    /// is connected. For tools and for tests of adapters.
    ///
    /// # Errors
    /// [`Error::NoSystem`] outside of an actix system.
    pub fn start(&self, env: Env) -> Result<Bus, Error> {
        if System::try_current().is_none() {
            return Err(Error::NoSystem);
        }
        match &self.0 {
            BusKind::Memory(bus) => Ok(bus.start(env)),
            #[cfg(feature = "redis")]
            BusKind::Redis(config) => crate::bus::redis::start(config, env),
            #[cfg(feature = "amqp")]
            BusKind::Amqp(config) => crate::bus::amqp::start(config, env),
            BusKind::Custom(start) => Ok(start(env)),
            BusKind::Recording(bus) => Ok(bus.start(env)),
        }
    }
}

impl BrokerConfig {
    /// A broker in memory, which other groups may share.
    pub fn memory(broker: MemoryBroker) -> Self {
        Self(BrokerKind::Memory(broker))
    }

    /// A test double.
    pub fn recording(broker: RecordingBroker) -> Self {
        Self(BrokerKind::Recording(broker))
    }

    /// A broker on Redis.
    #[cfg(feature = "redis")]
    pub fn redis(config: crate::RedisConfig) -> Self {
        Self(BrokerKind::Redis(config))
    }

    /// A broker on RabbitMQ.
    #[cfg(feature = "amqp")]
    pub fn amqp(config: crate::AmqpConfig) -> Self {
        Self(BrokerKind::Amqp(config))
    }

    /// An adapter of your own: starts its actor on the current arbiter and gives its handle.
    pub fn custom(start: impl Fn(Env) -> Broker + Send + Sync + 'static) -> Self {
        Self(BrokerKind::Custom(Arc::new(start)))
    }

    /// Starts the adapter without a group, on the current arbiter, and returns at once: the state of the broker says when it
    /// is connected. For tools and for tests of adapters.
    ///
    /// # Errors
    /// [`Error::NoSystem`] outside of an actix system.
    pub fn start(&self, env: Env) -> Result<Broker, Error> {
        if System::try_current().is_none() {
            return Err(Error::NoSystem);
        }
        match &self.0 {
            BrokerKind::Memory(broker) => Ok(broker.start(env)),
            #[cfg(feature = "redis")]
            BrokerKind::Redis(config) => crate::broker::redis::start(config, env),
            #[cfg(feature = "amqp")]
            BrokerKind::Amqp(config) => crate::broker::amqp::start(config, env),
            BrokerKind::Custom(start) => Ok(start(env)),
            BrokerKind::Recording(broker) => Ok(broker.start(env)),
        }
    }
}

impl std::fmt::Debug for BusConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            BusKind::Memory(_) => "BusConfig(memory)",
            #[cfg(feature = "redis")]
            BusKind::Redis(_) => "BusConfig(redis)",
            #[cfg(feature = "amqp")]
            BusKind::Amqp(_) => "BusConfig(amqp)",
            BusKind::Custom(_) => "BusConfig(custom)",
            BusKind::Recording(_) => "BusConfig(recording)",
        })
    }
}

impl std::fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            BrokerKind::Memory(_) => "BrokerConfig(memory)",
            #[cfg(feature = "redis")]
            BrokerKind::Redis(_) => "BrokerConfig(redis)",
            #[cfg(feature = "amqp")]
            BrokerKind::Amqp(_) => "BrokerConfig(amqp)",
            BrokerKind::Custom(_) => "BrokerConfig(custom)",
            BrokerKind::Recording(_) => "BrokerConfig(recording)",
        })
    }
}

impl FromStr for BusConfig {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        match scheme(url) {
            "memory" => Ok(Self::default()),
            #[cfg(feature = "redis")]
            "redis" | "rediss" => Ok(Self::redis(url.parse()?)),
            #[cfg(feature = "amqp")]
            "amqp" | "amqps" => Ok(Self::amqp(url.parse()?)),
            other => Err(unknown("bus", other)),
        }
    }
}

impl FromStr for BrokerConfig {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        match scheme(url) {
            "memory" => Ok(Self::default()),
            #[cfg(feature = "redis")]
            "redis" | "rediss" => Ok(Self::redis(url.parse()?)),
            #[cfg(feature = "amqp")]
            "amqp" | "amqps" => Ok(Self::amqp(url.parse()?)),
            other => Err(unknown("broker", other)),
        }
    }
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// Only the scheme is shown: the rest of a URL may hold a password.
fn unknown(what: &str, scheme: &str) -> Error {
    let known = match (cfg!(feature = "redis"), cfg!(feature = "amqp")) {
        (true, true) => "memory://, redis://host:port or amqp://host:port",
        (true, false) => "memory:// or redis://host:port",
        (false, true) => "memory:// or amqp://host:port",
        (false, false) => "memory://",
    };
    Error::Settings(match scheme {
        "" => format!("the URL of the {what} has no scheme: write {known}"),
        scheme => format!("there is no {what} for `{}://`: write {known}", scheme.escape_debug()),
    })
}
