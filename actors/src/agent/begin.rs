//! The beginning of an instance: the factory, `pre_start`, subscriptions and consumers, timers, `post_start`, servers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::context::Cx;
use super::handle::Handle;
use super::instance::{Crash, CrashCell, Instance, Lanes, guarded_now};
use super::life::{End, Life, Running};
use super::receive::{AgentInlet, ConsumerInbox};
use super::shared::Shared;
use super::tasks::{run_hook, run_server};
use super::timers;
use super::turns::Turns;
use super::work::ConsumerSlot;
use crate::error::Error;

pub(crate) fn not_started(shared: &Shared, place: &str, message: &str) -> End {
    let (agent, place, message) = (shared.agent.to_string(), format!("`{place}`"), message.to_owned());
    End::NotStarted(Error::Start { agent, place, message })
}

/// Makes an instance, runs `pre_start`, and at the first start subscribes and consumes.
pub(crate) async fn begin<A: 'static>(life: &mut Life<A>, first: bool) -> Result<Running<A>, End> {
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
            if let Err(message) = outcome {
                instance.crash.tell(&server.name, &message);
            }
        });
        running.server_ends.push((end, listens));
    }
}
