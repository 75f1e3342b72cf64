use std::sync::Arc;

use chrono::DateTime;
use formicary_protocol::Declarations;
use serde_json::Value;

use super::{Harness, Watch};
use crate::agent::{Agent, Factory, StartFlags};
use crate::error::Error;
use crate::group::{AgentOptions, BrokerConfig, BusConfig, Group, GroupBuilder};
use crate::testing::{RecordingBroker, RecordingBus};
use crate::{Clock, Ids};

/// What a harness starts its agent with.
#[must_use]
pub struct HarnessBuilder<A> {
    factory: Factory<A>,
    group: GroupBuilder,
    options: AgentOptions,
    bus: RecordingBus,
    broker: RecordingBroker,
    may_crash: bool,
}

impl<A: Agent> HarnessBuilder<A> {
    pub(super) fn new(factory: Factory<A>) -> Self {
        let flags = StartFlags { timers: false, ..StartFlags::default() };
        // The first of January 2000, at midnight.
        let clock = Clock::counted(DateTime::from_timestamp(946_684_800, 0).unwrap_or_default());
        Self {
            factory,
            group: Group::builder().clock(clock).ids(Ids::seeded(0)),
            options: AgentOptions::new().flags(flags),
            bus: RecordingBus::new(),
            broker: RecordingBroker::new(),
            may_crash: false,
        }
    }

    /// The signals and queues that the agent may use.
    pub fn declarations(mut self, declarations: Declarations) -> Self {
        self.group = self.group.declarations(declarations);
        self
    }

    /// The agent's own settings.
    pub fn settings(mut self, settings: Value) -> Self {
        self.options = self.options.settings(settings);
        self
    }

    /// A bus that has its scripts already, for what the agent does while it starts.
    pub fn bus(mut self, bus: RecordingBus) -> Self {
        self.bus = bus;
        self
    }

    /// A broker that has its scripts already, for what the agent does while it starts.
    pub fn broker(mut self, broker: RecordingBroker) -> Self {
        self.broker = broker;
        self
    }

    /// Whether periodic and cron handlers run by the clock. Default: no, they run when [`Harness::tick`] says.
    pub fn timers(mut self, timers: bool) -> Self {
        self.options.flags.timers = timers;
        self
    }

    /// Whether servers run. Default: yes.
    pub fn servers(mut self, servers: bool) -> Self {
        self.options.flags.servers = servers;
        self
    }

    /// Lets the agent crash and start again, as it does in production: a panic is then an error of the kind `panic`.
    /// Default: a panic fails the test.
    pub fn may_crash(mut self) -> Self {
        self.may_crash = true;
        self
    }

    /// Everything else that a group can be told: its check of payloads, its limits, its layers, its clock. The clock
    /// begins at the year 2000 and goes on with tokio's time, and ids and jitter are the same in each run, unless this says
    /// otherwise.
    pub fn group(mut self, change: impl FnOnce(GroupBuilder) -> GroupBuilder) -> Self {
        self.group = change(self.group);
        self
    }

    /// Everything else that an agent can be told when it is spawned: its name, its restart policy.
    pub fn options(mut self, change: impl FnOnce(AgentOptions) -> AgentOptions) -> Self {
        self.options = change(self.options);
        self
    }

    /// Starts the agent on the current arbiter. Returns when its subscriptions are live and `post_start` has run.
    ///
    /// # Errors
    /// What a group says that does not start: the agent does not fit its declarations, or a hook fails or panics.
    pub async fn start(self) -> Result<Harness<A>, Error> {
        let Self { factory, group, options, bus, broker, may_crash } = self;
        let doubles = group.bus(BusConfig::recording(bus.clone())).broker(BrokerConfig::recording(broker.clone()));
        let group = doubles.start().await?;
        let watch = Watch::new();
        match group.spawn_observed(options, factory, watch.clone()).await {
            Ok(()) => Ok(Harness { group, bus, broker, watch, may_crash }),
            Err(error) => {
                group.stop().await;
                Err(error)
            }
        }
    }
}

impl<A> std::fmt::Debug for HarnessBuilder<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HarnessBuilder")
            .field("group", &self.group)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

pub(super) fn factory<A>(factory: impl Fn() -> A + Send + Sync + 'static) -> Factory<A> {
    Arc::new(factory)
}
