//! Runs of handlers that no message begins: hooks, timers, servers and closures of handles.

use std::time::Duration;

use super::access::Access;
use super::chain::Ran;
use super::context::Cx;
use super::handle::{Handle, Job};
use super::instance::{Instance, guarded_now};
use super::invocation::Invocation;
use super::plan::{HandlerPlan, HookPlan, ServerPlan, Task};
use super::turns::Turn;
use crate::layers::Layers;

/// Runs a handler in its turn.
pub(crate) async fn run_task<A: 'static>(
    instance: &Instance<A>,
    plan: &HandlerPlan,
    layers: &Layers,
    timeout: Duration,
    task: &Task<A>,
    run: Invocation,
) -> Ran {
    let core = &instance.core;
    let chain = plan.chain(&instance.plan.layers, None, layers, core);
    let entered = chain.enter(&run, Some(timeout));
    let _turn = core.turns.take(plan.turn).await;
    let handler = async {
        match plan.turn {
            Turn::Read => task(Access::Read(&instance.agent.borrow()), &run).await,
            Turn::Write => task(Access::Write(&mut instance.agent.borrow_mut()), &run).await,
            Turn::None => task(Access::None, &run).await,
        }
    };
    let ran = chain.run(core, entered, &run, &|| {}, handler).await;
    if let Some(work) = run.late.get() {
        work.returned(core, &run).await;
    }
    ran
}

/// Runs a timer's handler in its turn.
pub(crate) async fn run_timer<A: 'static>(
    instance: &Instance<A>,
    plan: &HandlerPlan,
    layers: &Layers,
    timeout: Duration,
    task: &Task<A>,
) -> Ran {
    let core = &instance.core;
    let _in_hand = core.shared.env.gauge.begin();
    run_task(instance, plan, layers, timeout, task, Invocation::new(core, core.cx.clone(), plan)).await
}

/// Runs a hook alone. `Err` is what it said. The time left for it may be less than its timeout.
pub(crate) async fn run_hook<A: 'static>(
    instance: &Instance<A>,
    plan: &HookPlan<A>,
    left: Option<Duration>,
) -> Result<(), String> {
    let timeout = left.map_or(plan.options.timeout, |left| left.min(plan.options.timeout));
    let run = Invocation::new(&instance.core, instance.core.cx.clone(), &plan.handler);
    said(run_task(instance, &plan.handler, &plan.options.layers, timeout, &plan.task, run).await)
}

/// Runs a server or a `post_start` hook: without a turn, and a server without a timeout.
pub(crate) async fn run_server<A: 'static, O>(
    instance: &Instance<A>,
    plan: &ServerPlan<A, O>,
    layers: &Layers,
    handle: &Handle<A>,
    cx: Cx,
    timeout: Option<Duration>,
) -> Result<(), String> {
    let core = &instance.core;
    let chain = plan.handler.chain(&instance.plan.layers, None, layers, core);
    let run = Invocation::new(core, cx.clone(), &plan.handler);
    let entered = chain.enter(&run, timeout);
    let handler = async { (plan.serve)(handle.with_cx(cx), &run).await };
    said(chain.run(core, entered, &run, &|| {}, handler).await)
}

fn said(ran: Ran) -> Result<(), String> {
    match ran {
        Ran::Ok => Ok(()),
        Ran::Failed(error) => Err(error.to_string()),
        Ran::Panicked(message) => Err(format!("panic: {message}")),
    }
}

/// Runs a closure of a handle in its turn; a panic in it is a crash.
pub(crate) async fn run_job<A: 'static>(instance: &Instance<A>, job: Job<A>) {
    let core = &instance.core;
    core.jobs.set(core.jobs.get() + 1);
    let _turn = core.turns.take(job.turn).await;
    let name = "a closure of a Handle".into();
    let ran = {
        let watched = core.beat.watched(&core.shared.agent, &name);
        let _poll = watched.enter();
        guarded_now(|| (job.run)(instance))
    };
    if let Err(message) = ran {
        core.crash.tell(&name, &message);
    }
    core.jobs.set(core.jobs.get() - 1);
}
