//! The beginning of an instance: the factory, `pre_start`, subscriptions and consumers, timers, `post_start`, servers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::access::LocalFuture;
use super::context::Cx;
use super::delivery_state::Source;
use super::handle::Handle;
use super::instance::{Core, CrashCell, Instance, guarded_now};
use super::lanes::ConsumerSlot;
use super::life::{End, Life, Running, failed};
use super::local_tasks::LocalTasks;
use super::queues;
use super::receive::ConsumerInbox;
use super::task_group::OwnTasks;
use super::tasks::{run_hook, run_server};
use super::timers;
use super::turns::Turns;
use crate::broker::Intake;
use crate::error::Error;

/// Makes an instance, runs `pre_start`, and the first time subscribes and consumes.
pub(crate) async fn begin<A: 'static>(life: &mut Life<A>) -> Result<Running<A>, End> {
    if !life.opened {
        queues::ready(&life.plan, &life.shared).await.map_err(End::NotStarted)?;
    }
    let agent = guarded_now(|| (life.factory)()).map_err(|message| failed(life, "factory", &message))?;
    let shared = life.shared.clone();
    let core = Core {
        turns: Turns::default(),
        cx: Cx::new(shared.clone(), life.reception.facts().clone()),
        reception: Rc::downgrade(&life.reception) as _,
        consumers: RefCell::new(life.consumers.clone()),
        lanes: life.plan.consumers.iter().map(|_| Cell::new(0)).collect(),
        crash: CrashCell::new(shared.clone()),
        beat: shared.env.beats.of_this_arbiter(&shared.env.events),
        finishing: Cell::new(false),
        jobs: Cell::new(0),
        tasks: OwnTasks::new(shared.clone()),
        shared,
    };
    let (agent, plan, reception) = (RefCell::new(agent), life.plan.clone(), life.reception.clone());
    let instance = Rc::new(Instance { agent, plan, reception, core: Rc::new(core) });
    for hook in &life.plan.clone().pre_start {
        if let Err(message) = run_hook(&instance, hook, None).await {
            return Err(failed(life, &hook.handler.name, &message));
        }
    }
    if !life.opened {
        if life.flags.signals {
            life.reception.open().await.map_err(End::NotStarted)?;
        }
        consume(life).await.map_err(End::NotStarted)?;
        instance.core.consumers.replace(life.consumers.clone());
        life.opened = true;
    }
    life.reception.for_each(|receiver| receiver.restart());
    life.consumers.iter().for_each(|slot| slot.inbox.inbox.restart());
    Ok(Running {
        instance,
        work: LocalTasks::default(),
        servers: LocalTasks::default(),
        server_ends: Vec::new(),
        jobs: None,
    })
}

async fn consume<A: 'static>(life: &mut Life<A>) -> Result<(), Error> {
    if !life.flags.messages {
        return Ok(());
    }
    let mut slots = Vec::new();
    for plan in &life.plan.clone().consumers {
        let broker = life.shared.brokers.of(plan.queue.name).ok_or(Error::Closed("the broker"))?.clone();
        let inbox = Arc::new(ConsumerInbox::new(life.shared.clone()));
        let consumer = format!("{}.{}", life.shared.agent, plan.handler.name);
        let id = broker.next_consumer();
        let attempts = plan.options.retry.most_attempts();
        let dead_letter = plan.options.dead_letter;
        let queue = plan.queue.name.into();
        let source = Source {
            queue,
            broker: broker.clone(),
            consumer: id,
            name: consumer.as_str().into(),
            agent: life.shared.agent.clone(),
            handler: plan.handler.name.clone(),
            attempts,
            dead_letter,
            is_looked_at: life.plan.exhausted.iter().any(|exhausted| exhausted.queue.name == plan.queue.name),
        };
        slots.push(Rc::new(ConsumerSlot::new(inbox.clone(), source, life.shared.clone())));
        life.consumers = slots.clone().into();
        let mut intake = Intake::new(plan.queue.name, plan.options.credit(), &consumer, inbox);
        (intake.outbox, intake.dedup) = queues::asked_of_broker(plan);
        broker.consume_as(id, intake).await?;
    }
    if !slots.is_empty() {
        life.reception.facts().consumes(slots.iter().map(|slot| Arc::downgrade(&slot.inbox)).collect());
    }
    Ok(())
}

pub(crate) fn spawn_timers<A: 'static>(life: &Life<A>, running: &mut Running<A>) {
    if !life.flags.timers {
        return;
    }
    for at in 0..life.plan.periodic.len() {
        running.work.spawn(timers::periodic(running.instance.clone(), at));
    }
    for at in 0..life.plan.cron.len() {
        running.work.spawn(timers::cron(running.instance.clone(), at));
    }
}

/// Runs the hooks of `post_start`. An agent that gives its handle to nobody has none.
pub(crate) fn post_start<A: 'static>(
    instance: Rc<Instance<A>>,
    handle: Option<Handle<A>>,
) -> LocalFuture<'static, Result<(), (Arc<str>, String)>> {
    let Some(handle) = handle else { return Box::pin(async { Ok(()) }) };
    Box::pin(run_post_start(instance, handle))
}

async fn run_post_start<A: 'static>(instance: Rc<Instance<A>>, handle: Handle<A>) -> Result<(), (Arc<str>, String)> {
    for hook in &instance.plan.clone().post_start {
        let cx = instance.core.cx.clone();
        let outcome = run_server(&instance, hook, &hook.options.layers, &handle, cx, Some(hook.options.timeout)).await;
        outcome.map_err(|message| (hook.handler.name.clone(), message))?;
    }
    Ok(())
}

pub(crate) fn spawn_servers<A: 'static>(life: &Life<A>, running: &mut Running<A>, handle: &Handle<A>) {
    if !life.flags.servers {
        return;
    }
    for at in 0..life.plan.servers.len() {
        let (instance, handle) = (running.instance.clone(), handle.clone());
        let (cx, listens) = instance.core.cx.for_server();
        let end = running.servers.spawn(async move {
            let plan = instance.plan.clone();
            let server = &plan.servers[at];
            let core = &instance.core;
            let outcome = run_server(&instance, server, &server.options.layers, &handle, cx, None).await;
            match outcome {
                Ok(()) => {}
                // The agent is going anyway; the others still finish.
                Err(message) if core.cx.is_stopping() => {
                    let (agent, server) = (&core.shared.agent, &server.handler.name);
                    tracing::warn!(%agent, %server, "a server failed at its end: {message}");
                }
                Err(message) => core.crash.tell(&server.handler.name, &message),
            }
        });
        running.server_ends.push((end, listens));
    }
}
