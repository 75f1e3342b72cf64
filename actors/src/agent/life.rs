//! The life of an agent: instance after instance, each from `pre_start` to its end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::access::LocalFuture;
use super::begin::{begin, post_start, spawn_servers, spawn_timers};
use super::handle::{Handle, JOBS, Job, next_job};
use super::instance::{Crash, Instance, guarded};
use super::lanes::{ConsumerSlot, dispatch};
use super::local_tasks::LocalTasks;
use super::plan::Plan;
use super::reception::Reception;
use super::shared::Shared;
use super::shell::StartFlags;
use super::stop::{self, Ending};
use super::supervisor::Supervisor;
use super::tasks::run_job;
use crate::contract::Reply;
use crate::error::Error;
use crate::events::{Event, EventKind};
use crate::registry::{Ended, Verdict};

/// Stop, and be done by the deadline.
pub(crate) struct Stop {
    pub(crate) deadline: Instant,
    pub(crate) replies: Vec<Reply<()>>,
}

/// The way of a stop to its agent: one of its own, which is looked at before anything else.
pub(crate) struct StopLine {
    asked: RefCell<Option<Stop>>,
    shared: Arc<Shared>,
}

impl StopLine {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { asked: RefCell::new(None), shared }
    }

    /// Asks for a stop. Of several the earliest deadline holds.
    pub(crate) fn ask(&self, deadline: Instant, reply: Reply<()>) {
        let mut asked = self.asked.borrow_mut();
        let stop = asked.get_or_insert(Stop { deadline, replies: Vec::new() });
        stop.deadline = stop.deadline.min(deadline);
        stop.replies.push(reply);
        self.shared.wake.notify_one();
    }

    /// The stop that was asked for.
    pub(crate) fn take(&self) -> Option<Stop> {
        self.asked.borrow_mut().take()
    }

    /// The next stop, when it comes. What else there is to see meanwhile is for whoever comes next.
    async fn next(&self) -> Stop {
        loop {
            if let Some(stop) = self.take() {
                return stop;
            }
            self.shared.wake.notified().await;
        }
    }
}

/// Everything that outlives an instance.
pub(crate) struct Life<A> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) plan: Rc<Plan<A>>,
    pub(crate) factory: Arc<dyn Fn() -> A + Send + Sync>,
    pub(crate) flags: StartFlags,
    pub(crate) reception: Rc<Reception<A>>,
    pub(crate) consumers: Rc<[Rc<ConsumerSlot>]>,
    /// Whether it subscribes and consumes already: the first instance that gets so far sees to that.
    pub(crate) opened: bool,
    /// Whoever waits for the start.
    pub(crate) started: Option<Reply<Result<(), Error>>>,
    pub(crate) supervisor: Supervisor,
    pub(crate) observer: Option<Rc<dyn Observer<A>>>,
}

/// Who is told of the instances of an agent: a harness of a test.
pub(crate) trait Observer<A> {
    /// An instance has begun.
    fn began(&self, instance: &Rc<Instance<A>>);
    /// An instance has crashed.
    fn crashed(&self, crash: &Crash);
}

/// How an instance ended.
pub(crate) enum End {
    /// It was stopped.
    Stopped(Vec<Reply<()>>),
    /// It asked for its own end, and the supervisor has judged.
    Finished(Verdict),
    Crashed(Crash),
    NotStarted(Error),
}

/// A running instance with its tasks.
pub(crate) struct Running<A> {
    pub(crate) instance: Rc<Instance<A>>,
    pub(crate) work: LocalTasks,
    pub(crate) servers: LocalTasks,
    /// A way to end each server, and whether it waits for the stop.
    pub(crate) server_ends: Vec<(AbortHandle, Arc<AtomicBool>)>,
    /// `None` when no server or `post_start` can ask for a turn.
    pub(crate) jobs: Option<mpsc::Receiver<Job<A>>>,
}

/// Lives until the agent ends for good.
pub(crate) async fn live<A: 'static>(mut life: Life<A>, stops: Rc<StopLine>) {
    let mut down_since = None;
    loop {
        // Under a guard for the sake of `Drop`: an agent may panic when its instance is dropped.
        let end = guarded(one_life(&mut life, &stops, down_since.take()))
            .await
            .unwrap_or_else(|message| End::Crashed(Crash { handler: "drop".into(), message: message.into() }));
        let since = Instant::now();
        let verdict = match end {
            End::NotStarted(error) => {
                Box::pin(stop::leave(&mut life)).await;
                if let Some(started) = life.started {
                    started.send(Err(error));
                }
                return;
            }
            End::Stopped(replies) => {
                Box::pin(stop::leave(&mut life)).await;
                told(&life.shared, EventKind::Stopped);
                return replies.into_iter().for_each(|reply| reply.send(()));
            }
            End::Finished(verdict) => verdict,
            End::Crashed(crash) => {
                tell_crash(&life.shared, &crash);
                life.observer.iter().for_each(|observer| observer.crashed(&crash));
                Box::pin(life.supervisor.ask(Ended::Crashed { handler: crash.handler, message: crash.message })).await
            }
        };
        let replies = match verdict {
            Verdict::End => Vec::new(),
            Verdict::Restart { after } => {
                down_since = Some(since);
                let wait = Box::pin(tokio::time::timeout_at(crate::clock::after(after), stops.next()));
                match wait.await {
                    Err(_) => continue,
                    Ok(Stop { replies, .. }) => replies,
                }
            }
        };
        Box::pin(stop::leave(&mut life)).await;
        told(&life.shared, EventKind::Stopped);
        if let Some(started) = life.started.take() {
            started.send(Err(start_error(&life.shared, "start", "it asked for its own end before it had started")));
        }
        return replies.into_iter().for_each(|reply| reply.send(()));
    }
}

pub(crate) fn tell_crash(shared: &Shared, crash: &Crash) {
    let Crash { handler, message } = crash;
    tracing::error!(agent = %shared.agent, %handler, "crashed: {message}");
    shared.env.events.emit(EventKind::Crashed, || Event::Crashed {
        agent: shared.agent.clone(),
        instance: shared.uid.clone(),
        handler: handler.clone(),
        message: message.clone(),
    });
}

fn told(shared: &Shared, kind: EventKind) {
    let (agent, instance) = (shared.agent.clone(), shared.uid.clone());
    shared.env.events.emit(kind, || match kind {
        EventKind::Started => Event::Started { agent, instance },
        _ => Event::Stopped { agent, instance },
    });
}

async fn one_life<A: 'static>(life: &mut Life<A>, stops: &StopLine, down_since: Option<Instant>) -> End {
    // The beginning and the end are boxed: a hundred thousand idle agents keep only what waits.
    let begun = tokio::select! {
        biased;
        // A hook that hangs does not hold up a stop.
        stop = stops.next() => return End::Stopped(stop.replies),
        begun = Box::pin(begin(life)) => begun,
    };
    let mut running = match begun {
        Ok(running) => running,
        Err(end) => return end,
    };
    let instance = running.instance.clone();
    let core = &instance.core;
    life.observer.iter().for_each(|observer| observer.began(&instance));
    spawn_timers(life, &mut running);
    let plan = &instance.plan;
    let mut handle = None;
    if !(plan.post_start.is_empty() && plan.servers.is_empty()) {
        let (first, jobs) = Handle::new(core.cx.clone());
        (handle, running.jobs) = (Some(first), Some(jobs));
    }
    let mut starting = Some(post_start(instance.clone(), handle.clone()));
    loop {
        if let Some(stop) = stops.take() {
            return Box::pin(stop::drain(life, stops, running, Ending::Stop(stop))).await;
        }
        if let Some(crash) = core.crash.get() {
            Box::pin(stop::abort(life, running)).await;
            return failed(life, &crash.handler, &crash.message);
        }
        if core.cx.wants_to_end() {
            let verdict = Box::pin(life.supervisor.ask(Ended::Normally)).await;
            return Box::pin(stop::drain(life, stops, running, Ending::Finish(verdict))).await;
        }
        dispatch(&mut running);
        tokio::select! {
            biased;
            // Whatever it is, it is looked at above.
            () = life.shared.wake.notified() => {}
            outcome = done(&mut starting) => {
                starting = None;
                if let Err((hook, message)) = outcome {
                    Box::pin(stop::abort(life, running)).await;
                    return failed(life, &hook, &message);
                }
                if let Some(handle) = &handle {
                    spawn_servers(life, &mut running, handle);
                }
                is_up(life, down_since);
            }
            // A bound on closures that wait for their turn; the others wait in the channel.
            Some(job) = next_job(&mut running.jobs), if core.jobs.get() < JOBS => {
                let instance = running.instance.clone();
                running.work.spawn(async move { run_job(&instance, job).await });
            }
            Some(ended) = running.work.join_next() => task_ended(&instance, ended),
            Some(ended) = running.servers.join_next() => task_ended(&instance, ended),
        }
    }
}

/// The outcome of `post_start`; never, when it is known already.
async fn done<T>(starting: &mut Option<LocalFuture<'static, T>>) -> T {
    match starting {
        Some(starting) => starting.await,
        None => std::future::pending().await,
    }
}

/// The end of an instance that failed: of the start, as long as somebody waits for it, else a crash.
pub(crate) fn failed<A>(life: &Life<A>, place: &str, message: &str) -> End {
    match life.started {
        Some(_) => End::NotStarted(start_error(&life.shared, place, message)),
        None => End::Crashed(Crash { handler: place.into(), message: message.into() }),
    }
}

fn start_error(shared: &Shared, place: &str, message: &str) -> Error {
    Error::Start { agent: shared.agent.to_string(), place: format!("`{place}`"), message: message.to_owned() }
}

/// A task of ours ends with an error when a future of the user's panicked while it was dropped.
pub(crate) fn task_ended<A>(instance: &Instance<A>, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        instance.core.crash.tell(&"a handler that was dropped".into(), "it panicked while it was dropped");
    }
}

fn is_up<A: 'static>(life: &mut Life<A>, down_since: Option<Instant>) {
    // Before the reply: who has started an agent finds it in `info()`.
    life.supervisor.up(life.reception.facts().clone());
    let shared = &life.shared;
    match life.started.take() {
        Some(started) => {
            tracing::info!(agent = %shared.agent, uid = %shared.uid, "started");
            told(shared, EventKind::Started);
            started.send(Ok(()));
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
