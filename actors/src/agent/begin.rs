//! The beginning of an instance: the factory, `pre_start`, subscriptions and consumers, timers, `post_start`, servers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::context::Cx;
use super::handle::Handle;
use super::instance::{CrashCell, Instance, Lanes, guarded_now};
use super::life::{End, Life, Running, failed};
use super::receive::{AgentInlet, ConsumerInbox};
use super::task_group::OwnTasks;
use super::tasks::{run_hook, run_server};
use super::timers;
use super::turns::Turns;
use super::work::ConsumerSlot;
use crate::error::Error;

/// Makes an instance, runs `pre_start`, and the first time subscribes and consumes.
pub(crate) async fn begin<A: 'static>(life: &mut Life<A>) -> Result<Running<A>, End> {
    let agent = guarded_now(|| (life.factory)()).map_err(|message| failed(life, "factory", &message))?;
    let (stopping, stopping_seen) = watch::channel(false);
    let (finish, finish_seen) = watch::channel(false);
    let cx = Cx {
        shared: life.shared.clone(),
        info: life.info.clone(),
        finish: Arc::new(finish),
        stopping: stopping_seen.clone(),
        listens: Arc::default(),
    };
    let mut instance = Instance {
        agent: RefCell::new(agent),
        turns: Turns::default(),
        shared: life.shared.clone(),
        cx,
        plan: life.plan.clone(),
        receivers: life.receivers.clone(),
        lanes: Lanes {
            receivers: life.plan.receivers.iter().map(|_| Cell::new(0)).collect(),
            consumers: life.plan.consumers.iter().map(|_| Cell::new(0)).collect(),
        },
        consumers: life.consumers.clone(),
        crash: CrashCell::default(),
        stopping: stopping_seen,
        finishing: Cell::new(false),
        jobs: Cell::new(0),
        tasks: OwnTasks::new(life.shared.clone()),
    };
    for hook in &life.plan.clone().pre_start {
        if let Err(message) = run_hook(&instance, hook, hook.options.timeout).await {
            return Err(failed(life, &hook.name, &message));
        }
    }
    if !life.opened {
        subscribe(life).await.map_err(End::NotStarted)?;
        consume(life).await.map_err(End::NotStarted)?;
        instance.consumers = life.consumers.clone();
        life.opened = true;
    }
    let (_, jobs) = mpsc::channel(1);
    Ok(Running {
        instance: Rc::new(instance),
        work: JoinSet::new(),
        servers: JoinSet::new(),
        server_ends: Vec::new(),
        stopping,
        finish: finish_seen,
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
        let id = bus.next_subscription();
        // Noted before it is live: whoever ends the start here ends the subscription too.
        life.subscriptions.push((bus.clone(), id));
        bus.subscribe_as(id, &signal, inlet).await?;
    }
    Ok(())
}

async fn consume<A>(life: &mut Life<A>) -> Result<(), Error> {
    if !life.flags.messages {
        return Ok(());
    }
    let mut slots = Vec::new();
    for plan in &life.plan.clone().consumers {
        let broker = life.shared.brokers.of(plan.queue.name).ok_or(Error::Closed("the broker"))?.clone();
        let inbox = Arc::new(ConsumerInbox::new(life.shared.clone()));
        let consumer = format!("{}.{}", life.shared.agent, plan.name);
        let id = broker.next_consumer();
        slots.push(Rc::new(ConsumerSlot::new(inbox.clone(), plan.queue.name.into(), broker.clone(), id)));
        life.consumers = slots.clone().into();
        broker.consume_as(id, plan.queue.name, plan.options.concurrency, &consumer, inbox).await?;
    }
    Ok(())
}

pub(crate) fn spawn_timers<A: 'static>(life: &Life<A>, running: &mut Running<A>) {
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

pub(crate) async fn post_start<A: 'static>(
    instance: Rc<Instance<A>>,
    handle: Handle<A>,
) -> Result<(), (Arc<str>, String)> {
    for hook in &instance.plan.clone().post_start {
        let run = run_server(&instance, hook, handle.clone(), instance.cx.clone());
        let outcome = tokio::time::timeout(hook.options.timeout, run).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no end within {:?}", hook.options.timeout)));
        outcome.map_err(|message| (hook.name.clone(), message))?;
    }
    Ok(())
}

pub(crate) fn spawn_servers<A: 'static>(life: &Life<A>, running: &mut Running<A>, handle: &Handle<A>) {
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
            match outcome {
                Ok(()) => {}
                // The agent is going anyway; the others still finish.
                Err(message) if *instance.stopping.borrow() => {
                    tracing::warn!(agent = %instance.shared.agent, server = %server.name, "a server failed at its end: {message}");
                }
                Err(message) => instance.crash.tell(&server.name, &message),
            }
        });
        running.server_ends.push((end, listens));
    }
}
