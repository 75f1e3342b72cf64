//! The registry: the supervisor of every agent of a group.

mod policy;

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

pub use policy::{RestartKind, RestartPolicy};

use crate::agent::{AgentInfo, Shell, StopAgent};
use crate::contract::Reply;
use crate::{Env, Ids};

/// Names an agent in its group, in order of start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct AgentId(pub(crate) u64);

/// How an instance of an agent ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    Normally,
    Crashed {
        handler: Arc<str>,
        message: Arc<str>,
    },
    /// The shell itself is gone.
    ForGood,
}

/// What becomes of an agent whose instance ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    Restart { after: Duration },
    End,
}

/// A shell reports an end and waits for the verdict.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Report {
    pub(crate) id: AgentId,
    pub(crate) ended: Ended,
    pub(crate) reply: Reply<Verdict>,
}

/// Puts an agent under supervision.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Supervise {
    pub(crate) id: AgentId,
    pub(crate) shell: Addr<Shell>,
    pub(crate) restart: RestartPolicy,
}

/// An instance of the agent runs: the first one, or another.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Started {
    pub(crate) id: AgentId,
    pub(crate) info: AgentInfo,
}

/// Stops all agents in reverse order of their start.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopAll {
    pub(crate) deadline: Instant,
    pub(crate) reply: Reply<()>,
}

/// Asks for what all agents are.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Statuses(pub(crate) Reply<Vec<AgentStatus>>);

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

/// The supervisor. It lives on the arbiter on which its group was started.
pub(crate) struct Registry {
    children: Vec<Child>,
    ids: Ids,
    state: watch::Sender<GroupState>,
    stopping: bool,
}

struct Child {
    id: AgentId,
    /// `None` until it has started.
    info: Option<AgentInfo>,
    shell: Addr<Shell>,
    restart: RestartPolicy,
    /// The ends within the window of the intensity.
    ends: VecDeque<Instant>,
    /// Ends in a row, each within `reset_after` of the one before.
    streak: u32,
    last_end: Option<Instant>,
    restarts: u64,
    last_crash: Option<(String, String)>,
    restarting: bool,
    failed: bool,
    ended: bool,
}

impl Registry {
    pub(crate) fn new(env: &Env, state: watch::Sender<GroupState>) -> Self {
        Self { children: Vec::new(), ids: env.ids.clone(), state, stopping: false }
    }

    fn judge(&mut self, id: AgentId, ended: &Ended) -> Verdict {
        let (stopping, ids) = (self.stopping, self.ids.clone());
        let Some(child) = self.children.iter_mut().find(|child| child.id == id) else { return Verdict::End };
        let crash = match ended {
            Ended::ForGood => {
                child.ended = true;
                // One that never started is its starter's matter.
                self.children.retain(|child| child.info.is_some() || child.id != id);
                self.all_ended();
                return Verdict::End;
            }
            Ended::Normally => None,
            Ended::Crashed { handler, message } => Some((handler.to_string(), message.to_string())),
        };
        let again = match child.restart.kind {
            RestartKind::Permanent => true,
            RestartKind::Transient => crash.is_some(),
            RestartKind::Temporary => false,
        };
        let crashed = crash.is_some();
        child.last_crash = crash.or(child.last_crash.take());
        if stopping || !again {
            child.failed = crashed;
            return Verdict::End;
        }
        match child.next_restart(Instant::now(), &ids) {
            Some(after) => {
                child.restarting = true;
                Verdict::Restart { after }
            }
            None => {
                let (agent, restart) = (child.name(), child.restart);
                let (_, message) = child.last_crash.clone().unwrap_or_default();
                tracing::error!(
                    %agent, ends = restart.intensity, within = ?restart.window,
                    "the agent ended too often: the group stops with exit code 3"
                );
                self.state.send_replace(GroupState::TooManyCrashes { agent, message });
                Verdict::End
            }
        }
    }

    fn all_ended(&self) {
        // One that is about to start counts as alive.
        if !self.stopping && !self.children.is_empty() && self.children.iter().all(|child| child.ended) {
            let failed = self.children.iter().any(|child| child.failed);
            self.state.send_if_modified(|state| {
                let running = *state == GroupState::Running;
                if running {
                    *state = GroupState::AllEnded { failed };
                }
                running
            });
        }
    }
}

impl Child {
    /// How long to wait before the next restart; `None` when the intensity is passed.
    fn next_restart(&mut self, now: Instant, ids: &Ids) -> Option<Duration> {
        let policy = self.restart;
        self.ends.push_back(now);
        while self.ends.front().is_some_and(|end| now - *end > policy.window) {
            self.ends.pop_front();
        }
        if self.ends.len() > policy.intensity {
            return None;
        }
        let calm = self.last_end.is_none_or(|last| now - last >= policy.reset_after);
        self.streak = if calm { 0 } else { self.streak + 1 };
        self.last_end = Some(now);
        self.restarts += 1;
        Some(match self.streak {
            0 => policy.first,
            n => policy.backoff.wait(n - 1, ids),
        })
    }

    fn name(&self) -> String {
        self.info.as_ref().map(|info| info.name.clone()).unwrap_or_default()
    }

    fn state(&self) -> &'static str {
        match self.ended || !self.shell.connected() {
            true => "ended",
            false if self.restarting => "restarting",
            false => "running",
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Supervise> for Registry {
    type Result = ();

    fn handle(&mut self, supervise: Supervise, _: &mut Context<Self>) {
        let Supervise { id, shell, restart } = supervise;
        self.children.push(Child {
            id,
            info: None,
            shell,
            restart,
            ends: VecDeque::new(),
            streak: 0,
            last_end: None,
            restarts: 0,
            last_crash: None,
            restarting: false,
            failed: false,
            ended: false,
        });
        // A group whose agents had all ended runs again.
        self.state.send_if_modified(|state| {
            let ended = matches!(state, GroupState::AllEnded { .. });
            if ended {
                *state = GroupState::Running;
            }
            ended
        });
    }
}

impl Handler<Started> for Registry {
    type Result = ();

    fn handle(&mut self, started: Started, _: &mut Context<Self>) {
        if let Some(child) = self.children.iter_mut().find(|child| child.id == started.id) {
            child.info = Some(started.info);
            child.restarting = false;
        }
    }
}

impl Handler<Report> for Registry {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Context<Self>) {
        let verdict = self.judge(report.id, &report.ended);
        report.reply.send(verdict);
    }
}

impl Handler<Statuses> for Registry {
    type Result = ();

    fn handle(&mut self, statuses: Statuses, _: &mut Context<Self>) {
        let children = self.children.iter().filter_map(|child| {
            Some(AgentStatus {
                info: child.info.clone()?,
                state: child.state(),
                restarts: child.restarts,
                last_crash: child.last_crash.clone(),
            })
        });
        statuses.0.send(children.collect());
    }
}

impl Handler<StopAll> for Registry {
    type Result = ();

    fn handle(&mut self, stop: StopAll, context: &mut Context<Self>) {
        self.stopping = true;
        let shells: Vec<_> = self.children.iter().rev().filter(|child| !child.ended).map(|c| c.shell.clone()).collect();
        let stopped = async move {
            let mut still = shells.len() as u32;
            for shell in shells {
                still -= 1;
                // An agent that hangs leaves the later ones a moment for their own.
                let kept = Duration::from_millis(100) * still;
                let left = stop.deadline.saturating_duration_since(Instant::now());
                let deadline = stop.deadline - kept.min(left / 2);
                let (reply, ended) = Reply::new();
                shell.do_send(StopAgent { deadline, reply });
                // The shell keeps its own deadline; this one is for a shell whose arbiter stands still.
                let patience = deadline + Duration::from_millis(500);
                if tokio::time::timeout_at(patience, ended).await.is_err() {
                    tracing::error!("an agent did not stop in time: a handler holds its arbiter");
                }
            }
            stop.reply.send(());
        };
        context.spawn(stopped.into_actor(self).map(|(), _, _| {}));
    }
}
