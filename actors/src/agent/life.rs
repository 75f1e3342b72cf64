//! The life of an agent: instance after instance, each from `pre_start` to its end.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::access::LocalFuture;
use super::begin::{begin, not_started, post_start, spawn_servers, spawn_timers};
use super::handle::{Handle, Job};
use super::info::AgentInfo;
use super::instance::{Crash, Instance, guarded};
use super::plan::Plan;
use super::receive::ReceiverInbox;
use super::shared::Shared;
use super::shell::StartFlags;
use super::stop;
use super::tasks::run_job;
use super::work::{ConsumerSlot, dispatch};
use crate::bus::Bus;
use crate::contract::{Reply, SubscriptionId};
use crate::error::Error;
use crate::events::{Event, EventKind};
use crate::registry::{Ended, Verdict};

/// What comes to an agent from outside its inboxes. It is looked at before anything else.
pub(crate) enum Control {
    /// Stop, and be done by the deadline.
    Stop { deadline: Instant, reply: Reply<()> },
    /// End this instance normally.
    Finish,
}

/// Everything that outlives an instance.
pub(crate) struct Life<A> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) plan: Rc<Plan<A>>,
    pub(crate) factory: Arc<dyn Fn() -> A + Send + Sync>,
    pub(crate) flags: StartFlags,
    pub(crate) info: Arc<AgentInfo>,
    pub(crate) handle_control: mpsc::Sender<Control>,
    pub(crate) receivers: Rc<[Arc<ReceiverInbox>]>,
    pub(crate) consumers: Rc<[Rc<ConsumerSlot>]>,
    pub(crate) subscriptions: Vec<(Bus, SubscriptionId)>,
}

/// How an instance ended.
pub(crate) enum End {
    Stopped { reply: Option<Reply<()>> },
    Finished,
    Crashed(Crash),
    NotStarted(Error),
}

/// A running instance with its tasks.
pub(crate) struct Running<A> {
    pub(crate) instance: Rc<Instance<A>>,
    pub(crate) work: JoinSet<()>,
    pub(crate) servers: JoinSet<()>,
    /// A way to end each server, and whether it waits for the stop.
    pub(crate) server_ends: Vec<(AbortHandle, Arc<AtomicBool>)>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) jobs: mpsc::Receiver<Job<A>>,
}

/// Lives until the agent ends for good. `ask` reports an end and brings the supervisor's verdict.
pub(crate) async fn live<A: 'static>(
    mut life: Life<A>,
    mut control: mpsc::Receiver<Control>,
    started: Reply<Result<AgentInfo, Error>>,
    ask: impl Fn(Ended) -> LocalFuture<'static, Verdict>,
) {
    let mut started = Some(started);
    let mut down_since = None;
    loop {
        // Under a guard for the sake of `Drop`: an agent may panic when its instance is dropped.
        let end = guarded(one_life(&mut life, &mut control, &mut started, down_since.take()))
            .await
            .unwrap_or_else(|message| End::Crashed(Crash { handler: "drop".into(), message: message.into() }));
        let ended = match end {
            End::NotStarted(error) => {
                stop::leave(&mut life).await;
                if let Some(started) = started {
                    started.send(Err(error));
                }
                return;
            }
            End::Stopped { reply } => {
                stop::leave(&mut life).await;
                told(&life.shared, EventKind::Stopped);
                return reply.into_iter().for_each(|reply| reply.send(()));
            }
            End::Finished => Ended::Normally,
            End::Crashed(crash) => {
                let shared = &life.shared;
                let Crash { handler, message } = crash;
                tracing::error!(agent = %shared.agent, %handler, "crashed: {message}");
                shared.env.events.emit(EventKind::Crashed, || Event::Crashed {
                    agent: shared.agent.clone(),
                    instance: shared.uid.clone(),
                    handler: handler.clone(),
                    message: message.clone(),
                });
                Ended::Crashed { handler, message }
            }
        };
        let since = Instant::now();
        match ask(ended).await {
            Verdict::Restart { after } => {
                down_since = Some(since);
                if let Some(reply) = wait_or_stop(&mut control, after).await {
                    stop::leave(&mut life).await;
                    told(&life.shared, EventKind::Stopped);
                    return reply.send(());
                }
            }
            Verdict::End => {
                stop::leave(&mut life).await;
                told(&life.shared, EventKind::Stopped);
                return;
            }
        }
    }
}

/// Waits before a restart; `Some` when the agent is stopped meanwhile.
async fn wait_or_stop(control: &mut mpsc::Receiver<Control>, after: Duration) -> Option<Reply<()>> {
    let wake = Instant::now() + after;
    tokio::time::timeout_at(wake, stopped_meanwhile(control)).await.ok()
}

/// Returns when a stop comes; an instance that has not begun has nothing to end normally.
async fn stopped_meanwhile(control: &mut mpsc::Receiver<Control>) -> Reply<()> {
    loop {
        match control.recv().await {
            Some(Control::Stop { reply, .. }) => return reply,
            Some(Control::Finish) => {}
            None => std::future::pending().await,
        }
    }
}

fn told(shared: &Shared, kind: EventKind) {
    let (agent, instance) = (shared.agent.clone(), shared.uid.clone());
    shared.env.events.emit(kind, || match kind {
        EventKind::Started => Event::Started { agent, instance },
        _ => Event::Stopped { agent, instance },
    });
}

async fn one_life<A: 'static>(
    life: &mut Life<A>,
    control: &mut mpsc::Receiver<Control>,
    started: &mut Option<Reply<Result<AgentInfo, Error>>>,
    down_since: Option<Instant>,
) -> End {
    let begun = tokio::select! {
        biased;
        // A hook that hangs does not hold up a stop.
        reply = stopped_meanwhile(control) => return End::Stopped { reply: Some(reply) },
        begun = begin(life, started.is_some()) => begun,
    };
    let mut running = match begun {
        Ok(running) => running,
        Err(end) => return end,
    };
    let (cx, instance) = (running.instance.cx.clone(), running.instance.clone());
    let (handle, jobs) = Handle::new(cx);
    running.jobs = jobs;
    spawn_timers(life, &mut running);
    let post_start = post_start(instance.clone(), handle.clone());
    tokio::pin!(post_start);
    let mut starting = true;
    loop {
        dispatch(&mut running);
        tokio::select! {
            biased;
            control = control.recv() => match control {
                Some(Control::Stop { deadline, reply }) => {
                    return stop::drain(life, running, deadline, Some(reply)).await;
                }
                Some(Control::Finish) => {
                    let deadline = Instant::now() + stop::FINISH_DEADLINE;
                    return match stop::drain(life, running, deadline, None).await {
                        End::Stopped { .. } => End::Finished,
                        end => end,
                    };
                }
                None => std::future::pending().await,
            },
            crash = instance.crash.wait() => {
                stop::abort(life, running).await;
                return match started.is_some() {
                    true => not_started(&life.shared, &crash.handler, &crash.message),
                    false => End::Crashed(crash),
                };
            }
            outcome = &mut post_start, if starting => {
                starting = false;
                if let Err((hook, message)) = outcome {
                    stop::abort(life, running).await;
                    return match started.is_some() {
                        true => not_started(&life.shared, &hook, &message),
                        false => End::Crashed(Crash { handler: hook, message: message.into() }),
                    };
                }
                spawn_servers(life, &mut running, &handle);
                is_up(life, started, down_since);
            }
            Some(job) = running.jobs.recv() => {
                let instance = running.instance.clone();
                running.work.spawn_local(async move { run_job(&instance, job).await });
            }
            () = life.shared.wake.notified() => {}
            Some(ended) = running.work.join_next() => task_ended(&instance, ended),
            Some(ended) = running.servers.join_next() => task_ended(&instance, ended),
        }
    }
}

/// A task of ours ends with an error when a future of the user's panicked while it was dropped.
pub(crate) fn task_ended<A>(instance: &Instance<A>, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        instance.crash.tell(&"a handler that was dropped".into(), "it panicked while it was dropped");
    }
}

fn is_up<A>(life: &Life<A>, started: &mut Option<Reply<Result<AgentInfo, Error>>>, down_since: Option<Instant>) {
    let shared = &life.shared;
    match started.take() {
        Some(started) => {
            tracing::info!(agent = %shared.agent, uid = %shared.uid, "started");
            told(shared, EventKind::Started);
            started.send(Ok((*life.info).clone()));
        }
        None => {
            let after = down_since.map(|since| since.elapsed()).unwrap_or_default();
            tracing::info!(agent = %shared.agent, ?after, "restarted");
            shared.env.events.emit(EventKind::Restarted, || Event::Restarted {
                agent: shared.agent.clone(),
                instance: shared.uid.clone(),
                after,
            });
        }
    }
}
