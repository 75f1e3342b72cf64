//! The end of an instance: drained when the agent stops, aborted when it crashes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::instance::Instance;
use super::life::{End, Life, Running, task_ended};
use super::receive::dropped;
use super::tasks::{run_hook, run_job};
use super::work::dispatch;
use crate::contract::Reply;
use crate::events::DropReason;

/// How long an agent that ends by itself may take.
pub(crate) const FINISH_DEADLINE: Duration = Duration::from_secs(10);
/// What of the deadline is kept for `pre_stop`: a tenth, at most this.
const KEPT_FOR_PRE_STOP: Duration = Duration::from_secs(1);

/// Stops intake, lets running handlers finish, gives back what never started, and runs `pre_stop`.
pub(crate) async fn drain<A: 'static>(
    life: &mut Life<A>,
    mut running: Running<A>,
    deadline: Instant,
    reply: Option<Reply<()>>,
) -> End {
    let instance = running.instance.clone();
    let left = deadline.saturating_duration_since(Instant::now());
    let drained_by = deadline - KEPT_FOR_PRE_STOP.min(left / 10);
    // A normal end of one instance keeps its subscriptions: the next one finds the signals in its inboxes.
    let for_good = reply.is_some();
    if for_good {
        stop_intake(life, drained_by).await;
    }
    running.stopping.send_replace(true);
    for slot in life.consumers.iter() {
        slot.collect();
        slot.collect_inbox();
    }
    // Signals that come to an instance that ends and starts again belong to the next one.
    let finish = async {
        loop {
            if for_good {
                dispatch(&mut running);
            }
            if running.work.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                _ = instance.crash.wait() => return,
                Some(job) = running.jobs.recv() => {
                    let instance = running.instance.clone();
                    running.work.spawn_local(async move { run_job(&instance, job).await });
                }
                Some(ended) = running.work.join_next() => task_ended(&instance, ended),
            }
        }
    };
    if tokio::time::timeout_at(drained_by, finish).await.is_err() {
        tracing::warn!(
            agent = %life.shared.agent, running = running.work.len(),
            "handlers did not finish before the stop deadline: they are cut off"
        );
    }
    end_servers(life, &mut running, drained_by).await;
    end_all(&instance, &mut running.work).await;
    if for_good {
        drop_inboxes(life);
    }
    for slot in life.consumers.iter() {
        slot.give_back();
    }
    pre_stop(life, &instance, deadline).await;
    match instance.crash.has_happened() {
        true if !for_good => End::Crashed(instance.crash.wait().await),
        _ => End::Stopped { reply },
    }
}

/// Ends an instance that crashed: no drain, no `pre_stop`. Its deliveries go back and its requests are answered with an
/// error, by the guards of the tasks that are dropped here.
pub(crate) async fn abort<A: 'static>(life: &Life<A>, mut running: Running<A>) {
    for slot in life.consumers.iter() {
        slot.collect();
    }
    running.stopping.send_replace(true);
    let instance = running.instance.clone();
    end_all(&instance, &mut running.servers).await;
    end_all(&instance, &mut running.work).await;
    for slot in life.consumers.iter() {
        slot.give_back();
    }
}

/// Ends the subscriptions and consumers of an agent that will not live again.
pub(crate) async fn leave<A>(life: &mut Life<A>) {
    life.shared.set_accepting(false);
    for (bus, id) in life.subscriptions.drain(..) {
        bus.unsubscribe(id).await;
    }
    for slot in life.consumers.iter() {
        slot.broker.cancel(slot.id).await;
        slot.collect();
        slot.collect_inbox();
        slot.give_back();
    }
    drop_inboxes(life);
}

/// An adapter that does not answer must not hold up the stop: from here on the inlets refuse anyway.
async fn stop_intake<A>(life: &mut Life<A>, by: Instant) {
    let ended = async {
        for (bus, id) in life.subscriptions.drain(..) {
            bus.unsubscribe(id).await;
        }
        for slot in life.consumers.iter() {
            slot.broker.cancel(slot.id).await;
        }
    };
    drop(tokio::time::timeout_at(by, ended).await);
    life.shared.set_accepting(false);
}

/// Servers that listen to `stopping()` may end by themselves; the others are aborted at once.
async fn end_servers<A: 'static>(life: &Life<A>, running: &mut Running<A>, by: Instant) {
    for (end, listens) in &running.server_ends {
        if !listens.load(Ordering::Acquire) {
            end.abort();
        }
    }
    let instance = running.instance.clone();
    let ended = async {
        loop {
            tokio::select! {
                biased;
                // What a server does at its end may need the agent.
                Some(job) = running.jobs.recv() => run_job(&instance, job).await,
                ended = running.servers.join_next() => match ended {
                    Some(ended) => task_ended(&instance, ended),
                    None => return,
                },
            }
        }
    };
    if tokio::time::timeout_at(by, ended).await.is_err() {
        tracing::warn!(agent = %life.shared.agent, "a server did not end before the stop deadline: it is cut off");
    }
    end_all(&instance, &mut running.servers).await;
}

async fn end_all<A>(instance: &Instance<A>, tasks: &mut JoinSet<()>) {
    tasks.abort_all();
    while let Some(ended) = tasks.join_next().await {
        task_ended(instance, ended);
    }
}

fn drop_inboxes<A>(life: &Life<A>) {
    for receiver in life.receivers.iter() {
        for arrived in receiver.inbox.drain() {
            dropped(&life.shared, &receiver.name, &arrived.arriving.signal, DropReason::Stopped);
            if let Some(ticket) = arrived.ticket {
                ticket.fail("stopped", format!("the agent `{}` stopped before it had the request", life.shared.agent));
            }
        }
    }
}

async fn pre_stop<A: 'static>(life: &Life<A>, instance: &Instance<A>, deadline: Instant) {
    for hook in &life.plan.pre_stop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = hook.options.timeout.min(left.max(Duration::from_millis(1)));
        if let Err(message) = run_hook(instance, hook, timeout).await {
            tracing::error!(agent = %life.shared.agent, hook = %hook.name, "`pre_stop` failed: {message}");
        }
    }
}
