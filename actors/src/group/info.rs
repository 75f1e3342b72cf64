//! What a group says of itself.

use std::fmt;

use formicary_protocol::CheckMode;
use serde::Serialize;

use super::Group;
use crate::agent::{Rows, nonzero, span};
use crate::clock::seconds;
use crate::contract::{ConnectionState, Description, Reply};
use crate::events::Counters;
use crate::registry::{AgentStatus, RestartPolicy, Statuses};
use crate::{Limits, Load};

/// The version of the JSON that [`GroupInfo`] is serialized as.
///
/// Within a version, fields and the words of a field may be added; none is renamed, removed, or given another type, unit or
/// meaning. Whoever reads it must therefore overlook what they do not know. Anything else is another version. Every field
/// stands in `docs/info.md`.
pub const INFO_VERSION: u32 = 1;

/// What a group is and how it is, at one moment. It holds no secret: addresses come without passwords, and settings of
/// agents without values.
///
/// `Display` is for people, serde for programs; what the JSON promises stands at [`INFO_VERSION`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupInfo {
    /// [`INFO_VERSION`].
    pub version: u32,
    /// The version of Formicary.
    pub formicary: &'static str,
    /// The prefix of every channel.
    pub prefix: String,
    /// `running`; `ended`: every agent has ended by itself; `crashed`: an agent crashed too often, and the group stops.
    pub state: &'static str,
    /// How long ago the group was started, in seconds.
    pub uptime: f64,
    /// The default bus; `None` when it is closed.
    pub bus: Option<Description>,
    /// The default broker; `None` when it is closed.
    pub broker: Option<Description>,
    /// The settings of the group.
    pub settings: GroupSettings,
    /// What has happened, by kind.
    pub counters: Counters,
    /// What is in hand now.
    pub load: Load,
    /// The agents, in order of their start; of those that have ended, the latest ([`Limits::ended_agents`]).
    pub agents: Vec<AgentStatus>,
}

/// The settings that a group runs with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupSettings {
    /// How many arbiters of their own the agents have; 0: they live where the group was started.
    pub arbiters: usize,
    /// How many threads blocking handlers share.
    pub blocking_threads: usize,
    /// What is done about payloads that do not fit their declaration.
    pub check: CheckMode,
    /// How many layers stand around every handler of every agent.
    pub layers: usize,
    /// The bounds.
    pub limits: Limits,
    /// Whether runs of handlers add to the metrics.
    pub metrics: bool,
    /// How agents are restarted that do not say so themselves.
    pub restart: RestartPolicy,
    /// How long a stop may take. In JSON: seconds.
    #[serde(serialize_with = "seconds")]
    pub stop_deadline: std::time::Duration,
    /// Whether runs of handlers have spans.
    pub trace: bool,
}

impl Group {
    /// What the group is and how it is: bus and broker, settings, counters, and every agent with its handlers. Parts of it
    /// are read one after the other, so that a busy group's numbers need not fit each other.
    ///
    /// ```
    /// use formicary_actors::group::Group;
    ///
    /// # actix::System::new().block_on(async {
    /// let group = Group::builder().start().await?;
    /// let info = group.info().await;
    /// println!("{info}");
    /// assert_eq!((info.version, info.state, info.agents.len()), (1, "running", 0));
    /// # group.stop().await;
    /// # Ok::<(), formicary_actors::Error>(())
    /// # });
    /// ```
    pub async fn info(&self) -> GroupInfo {
        let (reply, statuses) = Reply::new();
        self.registry.do_send(Statuses(reply));
        let env = &self.env;
        GroupInfo {
            version: INFO_VERSION,
            formicary: env!("CARGO_PKG_VERSION"),
            prefix: env.prefix.as_str().to_owned(),
            state: self.state.borrow().word(),
            uptime: self.started.elapsed().as_secs_f64(),
            bus: self.bus.describe().await.ok(),
            broker: self.broker.describe().await.ok(),
            settings: self.settings(),
            counters: env.events.counters(),
            load: self.load(),
            agents: statuses.await.unwrap_or_default(),
        }
    }

    fn settings(&self) -> GroupSettings {
        let env = &self.env;
        GroupSettings {
            arbiters: self.arbiters.len(),
            blocking_threads: env.pool.threads().get(),
            check: env.check,
            layers: env.layers.0.len(),
            limits: env.limits,
            metrics: env.metered,
            restart: *self.restart,
            stop_deadline: self.stop_deadline,
            trace: env.traced,
        }
    }
}

impl fmt::Display for GroupInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { formicary, prefix, state, load, settings, .. } = self;
        write!(f, "formicary {formicary}, {state} for {}, prefix {prefix}", span(self.uptime))?;
        let mut rows = Rows::default();
        rows.add_wide("bus", described(self.bus.as_ref()));
        rows.add_wide("broker", described(self.broker.as_ref()));
        rows.add_wide("load", format!("{} waiting, {} running", load.waiting, load.running));
        rows.add_wide("settings", settings.to_string());
        let counters = nonzero(self.counters.iter().map(|(word, count)| (*count, *word)));
        rows.add_wide("counters", counters.replace('_', " "));
        rows.write(f, 2)?;
        self.agents.iter().try_for_each(|agent| write!(f, "\n{agent}"))
    }
}

impl fmt::Display for GroupSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arbiters, blocking_threads, check, stop_deadline, .. } = self;
        write!(f, "check {check}, stop within {stop_deadline:?}, {blocking_threads} blocking threads")?;
        if *arbiters > 0 {
            write!(f, ", {arbiters} arbiters")?;
        }
        if self.layers > 0 {
            write!(f, ", {} layers", self.layers)?;
        }
        f.write_str(if self.trace { ", trace" } else { "" })?;
        f.write_str(if self.metrics { ", metrics" } else { "" })
    }
}

fn described(adapter: Option<&Description>) -> String {
    let Some(Description { adapter, address, connection, .. }) = adapter else { return "closed".to_owned() };
    let state = match connection {
        ConnectionState::Connecting => "connecting".to_owned(),
        ConnectionState::Up => "up".to_owned(),
        ConnectionState::Down { reason, .. } => format!("down: {reason}"),
        ConnectionState::Closed => "closed".to_owned(),
    };
    format!("{adapter} at {address}, {state}")
}
