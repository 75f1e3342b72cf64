//! Runs of handlers that no message begins: hooks, timers and closures of handles.

use std::sync::Arc;
use std::time::Duration;

use super::context::Cx;
use super::handle::{Handle, Job};
use super::instance::{Instance, Ran, Run, guarded, guarded_now};
use super::invocation::{Invocation, Scope};
use super::plan::{HookPlan, ServerPlan, Task};
use super::turns::Turn;
use crate::events::HandlerKind;

/// Runs a timer's handler in its turn.
pub(crate) async fn run_timer<A: 'static>(
    instance: &Instance<A>,
    kind: HandlerKind,
    name: &Arc<str>,
    turn: Turn,
    timeout: Duration,
    task: &Task<A>,
) {
    let _in_hand = instance.shared.env.gauge.begin();
    let _turn = instance.turns.take(turn).await;
    let run = Run { handler: name.clone(), kind, turn, timeout, sender: None, delivery: None };
    instance.run(run, task()).await;
}

/// Runs a hook alone. `Err` is what it said.
pub(crate) async fn run_hook<A: 'static>(
    instance: &Instance<A>,
    plan: &HookPlan<A>,
    timeout: Duration,
) -> Result<(), String> {
    let _turn = instance.turns.take(Turn::Write).await;
    let run = Run {
        handler: plan.name.clone(),
        kind: HandlerKind::Hook,
        turn: Turn::Write,
        timeout,
        sender: None,
        delivery: None,
    };
    match instance.run(run, (plan.task)()).await {
        Ran::Ok(()) => Ok(()),
        Ran::Failed(error) => Err(error.to_string()),
        Ran::Panicked(message) => Err(format!("panic: {message}")),
    }
}

/// Runs a server or a `post_start` hook: without a turn, and without a timeout of its own.
pub(crate) async fn run_server<A: 'static>(
    instance: &Instance<A>,
    plan: &ServerPlan<A>,
    handle: Handle<A>,
    cx: Cx,
) -> Result<(), String> {
    let invocation = Invocation {
        shared: instance.shared.clone(),
        cx: cx.clone(),
        scope: Arc::new(Scope { handler: plan.name.clone(), turn: None, deadline: None }),
        sender: None,
        delivery: None,
        tasks: instance.tasks.clone(),
    };
    match guarded((plan.serve)(handle.with_cx(cx), invocation)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(message) => Err(format!("panic: {message}")),
    }
}

/// Runs a closure of a handle in its turn; a panic in it is a crash.
pub(crate) async fn run_job<A: 'static>(instance: &Instance<A>, job: Job<A>) {
    instance.jobs.set(instance.jobs.get() + 1);
    let _turn = instance.turns.take(job.turn).await;
    if let Err(message) = guarded_now(|| (job.run)(instance)) {
        instance.crash.tell(&"a closure of a Handle".into(), &message);
    }
    instance.jobs.set(instance.jobs.get() - 1);
}
