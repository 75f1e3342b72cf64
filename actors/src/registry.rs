//! The registry: the supervisor of every agent of a group.

mod child;
mod past;
mod policy;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

use child::{Child, Next};
use past::Past;
pub use policy::{RestartKind, RestartPolicy};
pub use status::{AgentState, AgentStatus, CrashInfo, GroupState};

use crate::agent::{Facts, Shell, StopAgent};
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
    pub(crate) restart: Arc<RestartPolicy>,
}

/// An instance of the agent runs: the first one, or another.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Started {
    pub(crate) id: AgentId,
    pub(crate) info: Arc<Facts>,
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

/// The supervisor. It lives on the arbiter on which its group was started.
pub(crate) struct Registry {
    /// The agents that live, in order of their start.
    children: BTreeMap<AgentId, Child>,
    past: Past,
    ids: Ids,
    state: watch::Sender<GroupState>,
    stopping: bool,
}

impl Registry {
    pub(crate) fn new(env: &Env, state: watch::Sender<GroupState>) -> Self {
        let past = Past::new(env.limits.ended_agents);
        Self { children: BTreeMap::new(), past, ids: env.ids.clone(), state, stopping: false }
    }

    fn judge(&mut self, id: AgentId, ended: &Ended) -> Verdict {
        if let Ended::ForGood = ended {
            self.gone(id);
            return Verdict::End;
        }
        let Some(child) = self.children.get_mut(&id) else { return Verdict::End };
        match child.ended(ended, self.stopping, &self.ids) {
            Next::Restart { after } => Verdict::Restart { after },
            Next::End => Verdict::End,
            Next::TooManyEnds => {
                let ((agent, message), restart) = (child.last_words(), child.restart());
                tracing::error!(
                    %agent, ends = restart.intensity, within = ?restart.window,
                    "the agent ended too often: the group stops with exit code 3"
                );
                self.state.send_replace(GroupState::TooManyCrashes { agent, message });
                Verdict::End
            }
        }
    }

    /// One that never started is its starter's matter, and not remembered.
    fn gone(&mut self, id: AgentId) {
        let Some(child) = self.children.remove(&id) else { return };
        if self.stopping {
            return;
        }
        self.past.add(id, &child);
        // One that is about to start counts as alive.
        if !self.children.is_empty() {
            return;
        }
        let Some(failed) = self.past.has_failed() else { return };
        self.state.send_if_modified(|state| {
            let running = *state == GroupState::Running;
            if running {
                *state = GroupState::AllEnded { failed };
            }
            running
        });
    }

    fn statuses(&self) -> Vec<AgentStatus> {
        let living = self.children.iter().filter_map(|(id, child)| child.status(*id));
        let mut statuses: Vec<_> = self.past.statuses().chain(living).collect();
        statuses.sort_by_key(|status| status.id);
        statuses
    }
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Supervise> for Registry {
    type Result = ();

    fn handle(&mut self, supervise: Supervise, _: &mut Context<Self>) {
        let Supervise { id, shell, restart } = supervise;
        self.children.insert(id, Child::new(shell, restart));
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
        if let Some(child) = self.children.get_mut(&started.id) {
            child.started(started.info);
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
        statuses.0.send(self.statuses());
    }
}

impl Handler<StopAll> for Registry {
    type Result = ();

    fn handle(&mut self, stop: StopAll, context: &mut Context<Self>) {
        self.stopping = true;
        let shells: Vec<_> = self.children.values().rev().map(|child| child.shell().clone()).collect();
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
                // One that has just ended by itself answers no more: its shell, and the reply, end with the last address.
                drop(shell);
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
