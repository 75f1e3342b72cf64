//! What an agent says of itself. The JSON is described field by field in `docs/info.md`, which a test holds against it.

mod counts;
mod facts;
mod handlers;
mod settings;
mod show;

use std::collections::BTreeMap;

use serde::Serialize;

pub use counts::HandlerCounts;
pub(crate) use counts::{Counted, Tallies, Tally};
pub(crate) use facts::{Changed, Facts, Templates};
pub(crate) use handlers::Declared;
pub use handlers::{
    BatchInfo, ConsumerInfo, CronInfo, DedupInfo, HandlerInfo, HookInfo, OutputInfo, PeriodicInfo, ReceiverInfo,
    RetryInfo,
};
pub(crate) use show::{Rows, nonzero, span};

use super::StartFlags;

/// What an agent is, and what its handlers have done so far. It holds no secret: addresses come without passwords, and
/// settings without values.
///
/// `Display` is for people, serde for programs; what the JSON promises stands at
/// [`INFO_VERSION`](crate::group::INFO_VERSION).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentInfo {
    /// The agent's name: the sender of its signals.
    pub name: String,
    /// The name of its Rust type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its uid: the responder of its answers, and its instance in events. It stays the same over restarts.
    pub uid: String,
    /// The buses that it uses, by adapter and address.
    pub buses: Vec<String>,
    /// The brokers that it uses, by adapter and address.
    pub brokers: Vec<String>,
    /// Which parts of it run.
    pub flags: StartFlags,
    /// The keys of its own settings, each with the JSON type of its value: `string`, `number`, `boolean`, `list`,
    /// `object` or `null`. Never a value.
    pub settings: BTreeMap<String, &'static str>,
    /// Its receivers.
    pub receivers: Vec<ReceiverInfo>,
    /// Its consumers.
    pub consumers: Vec<ConsumerInfo>,
    /// Its periodic tasks.
    pub periodic: Vec<PeriodicInfo>,
    /// Its cron tasks.
    pub cron: Vec<CronInfo>,
    /// Its hooks, in the order in which they run.
    pub hooks: Vec<HookInfo>,
    /// Its servers. They have no timeout.
    pub servers: Vec<HandlerInfo>,
    /// What the handlers send: the edges of the cluster's graph.
    pub outputs: Vec<OutputInfo>,
}
