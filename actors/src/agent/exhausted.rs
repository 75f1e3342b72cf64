//! `on_exhausted`: the handler of messages that are given up.

use std::rc::Rc;
use std::sync::Arc;

use super::access::LocalFuture;
use super::delivery_state::DeliveryState;
use super::instance::Instance;
use super::invocation::Invocation;
use super::plan::ExhaustedPlan;
use super::tasks::run_task;
use crate::error::HandlerError;

/// Runs the handler of a message that is given up, and why.
pub(crate) type GiveUp = Box<dyn Fn(Arc<DeliveryState>, Arc<HandlerError>) -> LocalFuture<'static, ()>>;

/// A way to run the handler of what a queue's consumer gives up; `None` when the agent has none for it.
pub(crate) fn handler_of<A: 'static>(instance: &Rc<Instance<A>>, queue: &str) -> Option<GiveUp> {
    let at = instance.plan.exhausted.iter().position(|plan| plan.queue.name == queue)?;
    let instance = instance.clone();
    Some(Box::new(move |state, error| {
        let instance = instance.clone();
        Box::pin(async move { run(&instance, &instance.plan.exhausted[at], state, error).await })
    }))
}

/// Its error is logged and counted as that of any handler, and its panic is a crash: neither is the message's matter.
async fn run<A: 'static>(
    instance: &Instance<A>,
    plan: &ExhaustedPlan<A>,
    state: Arc<DeliveryState>,
    error: Arc<HandlerError>,
) {
    let hook = &plan.hook;
    let mut run = Invocation::new(&instance.core, instance.core.cx.clone(), &hook.handler);
    run.place = Some(state.source.queue.clone());
    run.delivery = Some(state);
    run.exhausted = Some(error);
    run_task(instance, &hook.handler, &hook.options.layers, hook.options.timeout, &hook.task, run).await;
}
