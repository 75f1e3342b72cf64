use std::fmt;

use serde::Serialize;

use super::{AgentId, RestartPolicy};
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

/// Whether an agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AgentState {
    /// An instance of it runs.
    Running,
    /// Its last instance has ended, and another one begins.
    Restarting,
    /// It has ended for good.
    Ended,
}

/// How an instance of an agent crashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CrashInfo {
    /// The handler, or the part of the agent's life.
    pub handler: String,
    /// The message of the panic or the error. It is the agent's own: what it says there is shown.
    pub message: String,
}

/// An agent as its supervisor sees it. `Display` is for people, serde for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentStatus {
    /// Its number in its group, in order of start.
    pub id: AgentId,
    /// Whether it runs.
    pub state: AgentState,
    /// How often it was started again.
    pub restarts: u64,
    /// Its last crash, if it ever crashed.
    pub last_crash: Option<CrashInfo>,
    /// How it is restarted.
    pub restart: RestartPolicy,
    /// What it is.
    #[serde(flatten)]
    pub info: AgentInfo,
}

impl GroupState {
    /// The state's word in `info()`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::AllEnded { .. } => "ended",
            Self::TooManyCrashes { .. } => "crashed",
        }
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Ended => "ended",
        })
    }
}

impl fmt::Display for AgentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AgentInfo { name, type_name, uid, .. } = &self.info;
        write!(f, "{name} ({type_name}, uid {uid}) {}", self.state)?;
        if self.restarts > 0 {
            write!(f, ", restarts {}", self.restarts)?;
        }
        if let Some(crash) = &self.last_crash {
            write!(f, "\n  last crash in {}: {}", crash.handler, crash.message)?;
        }
        self.info.rows().write(f, 2)
    }
}
