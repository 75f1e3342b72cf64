//! The agents that have ended.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use super::child::Child;
use super::{AgentId, AgentState, AgentStatus};

/// Remembers the latest of them for `info()`. A group may spawn agents for ever that end by themselves.
pub(super) struct Past {
    latest: VecDeque<AgentStatus>,
    capacity: NonZeroUsize,
    /// Of all, the forgotten ones too.
    failed: Option<bool>,
}

impl Past {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { latest: VecDeque::new(), capacity, failed: None }
    }

    pub(super) fn add(&mut self, id: AgentId, child: &Child) {
        let Some(status) = child.status(id) else { return };
        self.failed = Some(child.has_failed() || self.failed == Some(true));
        if self.latest.len() == self.capacity.get() {
            self.latest.pop_front();
        }
        self.latest.push_back(AgentStatus { state: AgentState::Ended, ..status });
    }

    /// Whether one of them crashed and was not started again; `None` when no agent has ended.
    pub(super) fn has_failed(&self) -> Option<bool> {
        self.failed
    }

    pub(super) fn statuses(&self) -> impl Iterator<Item = AgentStatus> {
        self.latest.iter().cloned()
    }
}
