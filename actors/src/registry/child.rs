//! One agent under supervision.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::time::Instant;

use super::{AgentId, AgentState, AgentStatus, CrashInfo, Ended, RestartKind, RestartPolicy};
use crate::Ids;
use crate::agent::{Facts, Shell};

/// There may be a hundred thousand: what most of them never need is behind a pointer.
pub(super) struct Child {
    /// `None` until it has started.
    info: Option<Arc<Facts>>,
    shell: Addr<Shell>,
    restart: Arc<RestartPolicy>,
    /// `None` until the first end.
    ends: Option<Box<Ends>>,
    restarting: bool,
    failed: bool,
}

/// The ends of an agent's instances.
#[derive(Default)]
struct Ends {
    /// Those within the window of the intensity.
    recent: VecDeque<Instant>,
    /// Ends in a row, each within `reset_after` of the one before.
    streak: u32,
    last: Option<Instant>,
    restarts: u64,
    last_crash: Option<CrashInfo>,
}

/// What becomes of an agent after an end.
pub(super) enum Next {
    Restart { after: Duration },
    End,
    TooManyEnds,
}

impl Child {
    pub(super) fn new(shell: Addr<Shell>, restart: Arc<RestartPolicy>) -> Self {
        Self { info: None, shell, restart, ends: None, restarting: false, failed: false }
    }

    pub(super) fn started(&mut self, info: Arc<Facts>) {
        self.info = Some(info);
        self.restarting = false;
    }

    /// Whether its last instance crashed and no other follows.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn shell(&self) -> &Addr<Shell> {
        &self.shell
    }

    pub(super) fn restart(&self) -> &RestartPolicy {
        &self.restart
    }

    /// Notes an end, and says what follows when the group goes on.
    pub(super) fn ended(&mut self, ended: &Ended, stopping: bool, ids: &Ids) -> Next {
        let crash = match ended {
            Ended::Crashed { handler, message } => {
                Some(CrashInfo { handler: handler.to_string(), message: message.to_string() })
            }
            Ended::Normally | Ended::ForGood => None,
        };
        let again = match self.restart.kind {
            RestartKind::Permanent => true,
            RestartKind::Transient => crash.is_some(),
            RestartKind::Temporary => false,
        };
        let crashed = crash.is_some();
        let ends = self.ends.get_or_insert_default();
        ends.last_crash = crash.or(ends.last_crash.take());
        if stopping || !again {
            self.failed = crashed;
            return Next::End;
        }
        match ends.next_restart(&self.restart, Instant::now(), ids) {
            Some(after) => {
                self.restarting = true;
                Next::Restart { after }
            }
            None => Next::TooManyEnds,
        }
    }

    /// Its name and the message of its last crash.
    pub(super) fn last_words(&self) -> (String, String) {
        let name = self.info.as_ref().map(|info| info.name().to_owned()).unwrap_or_default();
        let crash = self.ends.as_ref().and_then(|ends| ends.last_crash.as_ref());
        (name, crash.map(|crash| crash.message.clone()).unwrap_or_default())
    }

    /// `None` when it has not started yet.
    pub(super) fn status(&self, id: AgentId) -> Option<AgentStatus> {
        Some(AgentStatus {
            id,
            info: self.info.as_ref()?.info(),
            state: self.state(),
            restarts: self.ends.as_ref().map_or(0, |ends| ends.restarts),
            last_crash: self.ends.as_ref().and_then(|ends| ends.last_crash.clone()),
            restart: *self.restart,
        })
    }

    fn state(&self) -> AgentState {
        match self.shell.connected() {
            false => AgentState::Ended,
            true if self.restarting => AgentState::Restarting,
            true => AgentState::Running,
        }
    }
}

impl Ends {
    /// How long to wait before the next restart; `None` when the intensity is passed.
    fn next_restart(&mut self, policy: &RestartPolicy, now: Instant, ids: &Ids) -> Option<Duration> {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|end| now - *end > policy.window) {
            self.recent.pop_front();
        }
        if self.recent.len() > policy.intensity {
            return None;
        }
        let calm = self.last.is_none_or(|last| now - last >= policy.reset_after);
        self.streak = if calm { 0 } else { self.streak + 1 };
        self.last = Some(now);
        self.restarts += 1;
        Some(match self.streak {
            0 => policy.first,
            n => policy.backoff.wait(n - 1, ids),
        })
    }
}
