use std::panic::Location;

use super::{Harness, fail};
use crate::agent::{Agent, Instance, Ran, run_timer};
use crate::error::HandlerError;

impl<A: Agent> Harness<A> {
    /// Runs a periodic or cron handler now, by its name, and returns what it returned. The clock does not move, and a run that
    /// goes on already is not waited for.
    ///
    /// # Errors
    /// The handler's own.
    ///
    /// # Panics
    /// When there is no such handler, with the names of those that are there; or when it panics.
    #[track_caller]
    pub fn tick(&self, name: &str) -> impl Future<Output = Result<(), HandlerError>> {
        let at = Location::caller();
        let name = name.to_owned();
        async move {
            let instance = self.instance(at).await;
            match self.unless_crashed(at, run(&instance, &name)).await {
                Some(Ran::Ok) => Ok(()),
                Some(Ran::Failed(error)) => Err(error),
                Some(Ran::Panicked(message)) => Err(HandlerError::of_kind("panic", message)),
                None => fail(at, &format!("there is no periodic or cron handler `{name}`: {}", known(&instance))),
            }
        }
    }
}

async fn run<A: Agent>(instance: &Instance<A>, name: &str) -> Option<Ran> {
    let plan = &instance.plan;
    if let Some(periodic) = plan.periodic.iter().find(|periodic| *periodic.handler.name == *name) {
        let options = &periodic.options;
        let timeout = options.timeout.unwrap_or(periodic.period);
        return Some(run_timer(instance, &periodic.handler, &options.layers, timeout, &periodic.task).await);
    }
    let cron = plan.cron.iter().find(|cron| *cron.handler.name == *name)?;
    Some(run_timer(instance, &cron.handler, &cron.options.layers, cron.options.timeout, &cron.task).await)
}

fn known<A>(instance: &Instance<A>) -> String {
    let plan = &instance.plan;
    let periodic = plan.periodic.iter().map(|it| format!("`{}` every {:?}", it.handler.name, it.period));
    let cron = plan.cron.iter().map(|it| format!("`{}` by cron", it.handler.name));
    let all: Vec<_> = periodic.chain(cron).collect();
    if all.is_empty() { "the agent has none".to_owned() } else { format!("there are {}", all.join(", ")) }
}
