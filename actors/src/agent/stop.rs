//! The end of an instance: drained when the agent stops, aborted when it crashes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::handle::{JOBS, next_job};
use super::instance::Instance;
use super::lanes::{dispatch, rouse};
use super::life::{End, Life, Running, Stop, StopLine, task_ended, tell_crash};
use super::local_tasks::LocalTasks;
use super::receive::dropped;
use super::tasks::{run_hook, run_job};
use crate::events::DropReason;
use crate::registry::Verdict;

/// How long an agent that ends by itself may take.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);
/// How long bus and broker may take to end what an agent had there.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// What of the deadline is kept for `pre_stop`: a tenth, at most this.
const KEPT_FOR_PRE_STOP: Duration = Duration::from_secs(1);

/// Why an instance is drained.
pub(crate) enum Ending {
    /// The agent is stopped.
    Stop(Stop),
    /// The instance asked for its own end, and this comes after it.
    Finish(Verdict),
}

/// Stops intake, lets running handlers finish, gives back what never started, and runs `pre_stop`.
pub(crate) async fn drain<A: 'static>(
    life: &mut Life<A>,
    stops: &StopLine,
    mut running: Running<A>,
    ending: Ending,
) -> End {
    let instance = running.instance.clone();
    let (mut deadline, mut replies, verdict) = match ending {
        Ending::Stop(stop) => (stop.deadline, stop.replies, Verdict::End),
        Ending::Finish(verdict) => (crate::clock::after(FINISH_DEADLINE), Vec::new(), verdict),
    };
    // Another instance finds its subscriptions as they were, and the signals in its inboxes.
    let mut for_good = verdict == Verdict::End;
    let mut cut_off = drained_by(deadline);
    instance.core.finishing.set(!for_good);
    if for_good {
        stop_intake(life, cut_off).await;
    }
    instance.core.cx.stopping_flag().raise();
    rouse(&instance);
    for slot in life.consumers.iter() {
        if for_good {
            slot.collect();
            slot.collect_inbox();
        } else {
            slot.keep();
        }
    }
    abort_deaf_servers(&running);
    loop {
        if instance.core.crash.has_happened() {
            break;
        }
        // An instance that ends by itself is stopped: the sooner of both deadlines holds.
        if let Some(stop) = stops.take() {
            deadline = deadline.min(stop.deadline);
            cut_off = drained_by(deadline);
            replies.extend(stop.replies);
            if !for_good {
                for_good = true;
                instance.core.finishing.set(false);
                stop_intake(life, cut_off).await;
                // Its lanes had left what waits to the next instance.
                life.reception.for_each(|receiver| receiver.restart());
            }
        }
        if for_good {
            dispatch(&mut running);
        }
        if running.work.is_empty() && running.servers.is_empty() && !instance.core.tasks.one_listens() {
            break;
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(cut_off) => {
                tracing::warn!(
                    agent = %life.shared.agent, handlers = running.work.len(), servers = running.servers.len(),
                    tasks = instance.core.tasks.living(),
                    "not all ended before the stop deadline: they are cut off"
                );
                break;
            }
            () = life.shared.wake.notified() => {}
            // What a server or a handler does at its end may need the agent.
            Some(job) = next_job(&mut running.jobs), if instance.core.jobs.get() < JOBS => {
                let instance = running.instance.clone();
                running.work.spawn(async move { run_job(&instance, job).await });
            }
            Some(ended) = running.work.join_next() => task_ended(&instance, ended),
            Some(ended) = running.servers.join_next() => task_ended(&instance, ended),
            () = instance.core.tasks.one_ended() => {}
        }
    }
    end_all(&instance, &mut running.servers).await;
    end_all(&instance, &mut running.work).await;
    instance.core.tasks.end_all().await;
    if for_good {
        drop_inboxes(life);
    }
    for slot in life.consumers.iter() {
        slot.hand_on();
        slot.give_back();
    }
    match instance.core.crash.get() {
        Some(crash) => {
            tell_crash(&life.shared, crash);
            life.observer.iter().for_each(|observer| observer.crashed(crash));
        }
        None => pre_stop(life, &instance, deadline).await,
    }
    match replies.is_empty() {
        false => End::Stopped(replies),
        true => End::Finished(verdict),
    }
}

/// When handlers are cut off: a part of the time is kept for `pre_stop`.
fn drained_by(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline - KEPT_FOR_PRE_STOP.min(left / 10)
}

/// Ends an instance that crashed: no drain, no `pre_stop`. Its deliveries go back and its requests are answered with an
/// error, by the guards of the tasks that are dropped here.
pub(crate) async fn abort<A: 'static>(life: &Life<A>, mut running: Running<A>) {
    for slot in life.consumers.iter() {
        slot.keep();
    }
    let instance = running.instance.clone();
    instance.core.cx.stopping_flag().raise();
    end_all(&instance, &mut running.servers).await;
    end_all(&instance, &mut running.work).await;
    instance.core.tasks.end_all().await;
    for slot in life.consumers.iter() {
        slot.hand_on();
    }
}

/// Ends the subscriptions and consumers of an agent that will not live again.
pub(crate) async fn leave<A: 'static>(life: &mut Life<A>) {
    stop_intake(life, crate::clock::after(LEAVE_WITHIN)).await;
    for slot in life.consumers.iter() {
        slot.collect();
        slot.collect_inbox();
        slot.give_back();
    }
    drop_inboxes(life);
}

/// An adapter that does not answer must not hold up the stop: from here on the inlets refuse anyway.
async fn stop_intake<A: 'static>(life: &mut Life<A>, by: Instant) {
    let ended = async {
        life.reception.end().await;
        for slot in life.consumers.iter() {
            slot.source.broker.cancel(slot.source.consumer).await;
        }
    };
    drop(tokio::time::timeout_at(by, ended).await);
    life.shared.set_accepting(false);
}

/// Servers that listen to `stopping()` may end by themselves; the others are aborted at once.
fn abort_deaf_servers<A>(running: &Running<A>) {
    for (end, listens) in &running.server_ends {
        if !listens.load(Ordering::Acquire) {
            end.abort();
        }
    }
}

async fn end_all<A>(instance: &Instance<A>, tasks: &mut LocalTasks) {
    tasks.abort_all();
    while let Some(ended) = tasks.join_next().await {
        task_ended(instance, ended);
    }
}

fn drop_inboxes<A: 'static>(life: &Life<A>) {
    life.reception.for_each(|receiver| {
        let receiver = &receiver.inbox;
        for arrived in receiver.inbox.drain() {
            dropped(&life.shared, &receiver.name, &arrived.arriving.signal, DropReason::Stopped);
            if let Some(ticket) = arrived.ticket {
                ticket.fail("stopped", format!("the agent `{}` stopped before it had the request", life.shared.agent));
            }
        }
    });
}

async fn pre_stop<A: 'static>(life: &Life<A>, instance: &Instance<A>, deadline: Instant) {
    for hook in &life.plan.pre_stop {
        let left = deadline.saturating_duration_since(Instant::now());
        if let Err(message) = run_hook(instance, hook, Some(left.max(Duration::from_millis(1)))).await {
            tracing::error!(agent = %life.shared.agent, hook = %hook.handler.name, "`pre_stop` failed: {message}");
        }
    }
}
