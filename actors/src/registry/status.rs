use serde::Serialize;

use crate::agent::AgentInfo;

/// Whether a group still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupState {
    /// Agents run.
    Running,
    /// Every agent has ended by itself.
    AllEnded {
        /// Whether one of them crashed and was not started again.
        failed: bool,
    },
    /// An agent crashed too often; the group stops.
    TooManyCrashes {
        /// The agent.
        agent: String,
        /// Its last crash.
        message: String,
    },
}

/// An agent as its supervisor sees it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AgentStatus {
    /// What it is.
    #[serde(flatten)]
    pub info: AgentInfo,
    /// `running`, `restarting` or `ended`.
    pub state: &'static str,
    /// How often it was started again.
    pub restarts: u64,
    /// The handler and the message of its last crash.
    pub last_crash: Option<(String, String)>,
}
