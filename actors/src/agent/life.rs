//! The life of an agent: instance after instance, each from `pre_start` to its end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::access::LocalFuture;
use super::context::Cx;
use super::handle::{Handle, Job};
use super::info::AgentInfo;
use super::instance::{Crash, CrashCell, Instance, Lanes, guarded, guarded_now};
use super::plan::Plan;
use super::receive::{AgentInlet, ConsumerInbox, ReceiverInbox};
use super::shared::Shared;
use super::shell::StartFlags;
use super::tasks::{run_hook, run_job, run_server};
use super::turns::Turns;
use super::work::{self, ConsumerSlot};
use super::{stop, timers};
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

fn not_started(shared: &Shared, place: &str, message: &str) -> End {
    let (agent, place, message) = (shared.agent.to_string(), format!("`{place}`"), message.to_owned());
    End::NotStarted(Error::Start { agent, place, message })
}

/// Makes an instance, runs `pre_start`, and at the first start subscribes and consumes.
async fn begin<A: 'static>(life: &mut Life<A>, first: bool) -> Result<Running<A>, End> {
    let failed = |shared: &Shared, place: &str, message: String| match first {
        true => not_started(shared, place, &message),
        false => End::Crashed(Crash { handler: place.into(), message: message.into() }),
    };
    let agent = guarded_now(|| (life.factory)()).map_err(|message| failed(&life.shared, "factory", message))?;
    let (stopping, stopping_seen) = watch::channel(false);
    let cx = Cx {
        shared: life.shared.clone(),
        info: life.info.clone(),
        control: life.handle_control.clone(),
        stopping: stopping_seen.clone(),
        listens: Arc::default(),
    };
    let make = |consumers: Rc<[Rc<ConsumerSlot>]>, agent: A, receivers| Instance {
        agent: RefCell::new(agent),
        turns: Turns::default(),
        shared: life.shared.clone(),
        cx: cx.clone(),
        plan: life.plan.clone(),
        receivers,
        lanes: Lanes {
            receivers: life.plan.receivers.iter().map(|_| Cell::new(0)).collect(),
            consumers: life.plan.consumers.iter().map(|_| Cell::new(0)).collect(),
        },
        consumers,
        crash: CrashCell::default(),
        stopping: stopping_seen.clone(),
    };
    let mut instance = make(life.consumers.clone(), agent, life.receivers.clone());
    for hook in &life.plan.clone().pre_start {
        if let Err(message) = run_hook(&instance, hook, hook.options.timeout).await {
            return Err(failed(&life.shared, &hook.name, message));
        }
    }
    if first {
        subscribe(life).await.map_err(End::NotStarted)?;
        instance.consumers = consume(life).await.map_err(End::NotStarted)?;
        life.consumers = instance.consumers.clone();
    }
    let (_, jobs) = mpsc::channel(1);
    Ok(Running {
        instance: Rc::new(instance),
        work: JoinSet::new(),
        servers: JoinSet::new(),
        server_ends: Vec::new(),
        stopping,
        jobs,
    })
}

async fn subscribe<A>(life: &mut Life<A>) -> Result<(), Error> {
    if !life.flags.signals {
        return Ok(());
    }
    let mut signals: Vec<Arc<str>> = life.plan.receivers.iter().flat_map(|plan| plan.signals.clone()).collect();
    signals.sort();
    signals.dedup();
    for signal in signals {
        let inboxes = life.plan.receivers.iter().zip(life.receivers.iter());
        let inboxes = inboxes.filter(|(plan, _)| plan.signals.contains(&signal)).map(|(_, inbox)| inbox.clone());
        let bus = life.shared.buses.of(&signal).ok_or(Error::Closed("the bus"))?.clone();
        let inlet = Arc::new(AgentInlet::new(life.shared.clone(), bus.clone(), inboxes.collect()));
        let id = bus.subscribe(&signal, inlet).await?;
        life.subscriptions.push((bus, id));
    }
    Ok(())
}

async fn consume<A>(life: &Life<A>) -> Result<Rc<[Rc<ConsumerSlot>]>, Error> {
    let mut slots = Vec::new();
    if !life.flags.messages {
        return Ok(slots.into());
    }
    for plan in &life.plan.consumers {
        let broker = life.shared.brokers.of(plan.queue.name).ok_or(Error::Closed("the broker"))?.clone();
        let inbox = Arc::new(ConsumerInbox::new(life.shared.clone()));
        let consumer = format!("{}.{}", life.shared.agent, plan.name);
        let id = broker.consume(plan.queue.name, plan.options.concurrency, &consumer, inbox.clone()).await?;
        slots.push(Rc::new(ConsumerSlot::new(inbox, plan.queue.name.into(), broker, id)));
    }
    Ok(slots.into())
}

fn spawn_timers<A: 'static>(life: &Life<A>, running: &mut Running<A>) {
    if !life.flags.timers {
        return;
    }
    for at in 0..life.plan.periodic.len() {
        running.work.spawn_local(timers::periodic(running.instance.clone(), at));
    }
    for at in 0..life.plan.cron.len() {
        running.work.spawn_local(timers::cron(running.instance.clone(), at));
    }
}

async fn post_start<A: 'static>(instance: Rc<Instance<A>>, handle: Handle<A>) -> Result<(), (Arc<str>, String)> {
    for hook in &instance.plan.clone().post_start {
        let run = run_server(&instance, hook, handle.clone(), instance.cx.clone());
        let outcome = tokio::time::timeout(hook.options.timeout, run).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no end within {:?}", hook.options.timeout)));
        outcome.map_err(|message| (hook.name.clone(), message))?;
    }
    Ok(())
}

fn spawn_servers<A: 'static>(life: &Life<A>, running: &mut Running<A>, handle: &Handle<A>) {
    if !life.flags.servers {
        return;
    }
    for at in 0..life.plan.servers.len() {
        let (instance, handle) = (running.instance.clone(), handle.clone());
        let cx = instance.cx.for_server();
        let listens = cx.listens.clone();
        let end = running.servers.spawn_local(async move {
            let plan = instance.plan.clone();
            let server = &plan.servers[at];
            let outcome = run_server(&instance, server, handle, cx).await;
            if let Err(message) = outcome {
                instance.crash.tell(&server.name, &message);
            }
        });
        running.server_ends.push((end, listens));
    }
}

/// Opens lanes for what waits in the inboxes.
pub(crate) fn dispatch<A: 'static>(running: &mut Running<A>) {
    let instance = &running.instance;
    for (at, plan) in instance.plan.receivers.iter().enumerate() {
        let lanes = &instance.lanes.receivers[at];
        let room = plan.options.concurrency.get().saturating_sub(lanes.get());
        for _ in 0..room.min(instance.receivers[at].inbox.len()) {
            lanes.set(lanes.get() + 1);
            running.work.spawn_local(work::receive(instance.clone(), at));
        }
    }
    if *instance.stopping.borrow() {
        return;
    }
    for (at, slot) in instance.consumers.iter().enumerate() {
        let lanes = &instance.lanes.consumers[at];
        let room = instance.plan.consumers[at].options.concurrency.get().saturating_sub(lanes.get());
        for _ in 0..room.min(slot.inbox.inbox.len()) {
            lanes.set(lanes.get() + 1);
            running.work.spawn_local(work::consume(instance.clone(), at));
        }
    }
}
