//! The shell: the actix actor around one agent.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::Agent;
use super::builder::AgentBuilder;
use super::check::check;
use super::info::Facts;
use super::instance::guarded;
use super::life::{Life, Observer, StopLine, live};
use super::patterns;
use super::reception::Reception;
use super::shared::{Routes, Shared};
use super::supervisor::Supervisor;
use crate::Env;
use crate::broker::Broker;
use crate::bus::Bus;
use crate::contract::Reply;
use crate::error::Error;
use crate::registry::{AgentId, Registry, RestartPolicy, Supervise};

/// Which parts of an agent run. All do by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StartFlags {
    /// Receivers are subscribed.
    pub signals: bool,
    /// Consumers consume.
    pub messages: bool,
    /// Periodic and cron tasks run.
    pub timers: bool,
    /// Servers run.
    pub servers: bool,
}

impl Default for StartFlags {
    fn default() -> Self {
        Self { signals: true, messages: true, timers: true, servers: true }
    }
}

/// What a shell is started with.
pub(crate) struct Setup {
    pub(crate) id: AgentId,
    pub(crate) name: Option<String>,
    pub(crate) env: Arc<Env>,
    pub(crate) buses: Routes<Bus>,
    pub(crate) brokers: Routes<Broker>,
    pub(crate) settings: Value,
    pub(crate) flags: StartFlags,
    pub(crate) registry: Arc<Addr<Registry>>,
    pub(crate) restart: Arc<RestartPolicy>,
    pub(crate) started: Reply<Result<(), Error>>,
}

/// The actor. It never runs user code in its own poll, and not even the life of the agent: that is a task beside it.
pub(crate) struct Shell {
    stops: Rc<StopLine>,
}

/// Stops the agent; the reply comes when it has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopAgent {
    pub(crate) deadline: Instant,
    pub(crate) reply: Reply<()>,
}

impl Shell {
    /// Starts an agent on the current arbiter.
    pub(crate) fn launch<A: Agent>(setup: Setup, factory: Factory<A>) {
        Self::launch_observed(setup, factory, None);
    }

    /// The same for an observer on this arbiter.
    pub(crate) fn launch_observed<A: Agent>(setup: Setup, factory: Factory<A>, observer: Option<Rc<dyn Observer<A>>>) {
        let (id, registry, restart) = (setup.id, setup.registry.clone(), setup.restart.clone());
        let mut life = match prepare::<A>(setup, factory) {
            Ok(life) => life,
            Err((started, error)) => return started.send(Err(error)),
        };
        life.observer = observer;
        let stops = Rc::new(StopLine::new(life.shared.clone()));
        let shell = Self { stops: stops.clone() }.start();
        // Before the life begins: its first report must find the agent known.
        registry.do_send(Supervise { id, shell, restart });
        actix_rt::spawn(async move {
            if let Err(message) = guarded(live(life, stops)).await {
                tracing::error!("the shell of an agent panicked, which is a bug of formicary: {message}");
            }
            Supervisor { registry, id }.gone();
        });
    }
}

/// Makes the instances of an agent.
pub(crate) type Factory<A> = Arc<dyn Fn() -> A + Send + Sync>;

type Refusal = (Reply<Result<(), Error>>, Error);

/// Declares the agent and checks it.
fn prepare<A: Agent>(setup: Setup, factory: Factory<A>) -> Result<Life<A>, Refusal> {
    let Setup { id, name, env, buses, brokers, settings, flags, registry, started, restart: _ } = setup;
    let type_name = short_name(std::any::type_name::<A>());
    let declared = super::instance::guarded_now(|| {
        let mut builder = AgentBuilder::<A>::new();
        A::declare(&mut builder);
        builder.build()
    });
    let mut plan = match declared {
        Ok(plan) => plan,
        Err(message) => {
            return Err((started, Error::Start { agent: type_name, place: "declaration".to_owned(), message }));
        }
    };
    let agent = name.or_else(|| plan.name.clone()).unwrap_or_else(|| snake_case(&type_name));
    let shared = Shared::new(agent.as_str().into(), type_name.as_str().into(), env, buses, brokers, settings);
    let shared = Arc::new(shared);
    let mut problems = patterns::expand(&mut plan.receivers, &shared.env.declarations);
    problems.extend(check(&plan, &shared));
    if let Err(error) = formicary_protocol::check_sender(&agent) {
        problems.push(error.to_string());
    }
    if !problems.is_empty() {
        return Err((started, Error::Misfit { agent, problems }));
    }
    let (buses, brokers) = (shared.buses.links(Bus::link), shared.brokers.links(Broker::link));
    let facts = Arc::new(Facts::new(&plan, shared.clone(), flags, buses, brokers));
    let reception = Reception::new(shared.clone(), plan, facts);
    Ok(Life {
        shared,
        plan: reception.plan().clone(),
        factory,
        flags,
        reception,
        consumers: Rc::new([]),
        opened: false,
        started: Some(started),
        supervisor: Supervisor { registry, id },
        observer: None,
    })
}

/// The type's name without its path and without the paths in its parameters.
fn short_name(full: &str) -> String {
    let base = full.split('<').next().unwrap_or(full);
    base.rsplit("::").next().unwrap_or(base).to_owned()
}

/// `CommentAgent` becomes `comment_agent`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

impl Actor for Shell {
    type Context = Context<Self>;
}

impl Handler<StopAgent> for Shell {
    type Result = ();

    fn handle(&mut self, stop: StopAgent, _: &mut Context<Self>) {
        let StopAgent { deadline, reply } = stop;
        self.stops.ask(deadline, reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        assert_eq!(short_name("crate::a::Boxed<crate::b::T>"), "Boxed");
        assert_eq!(snake_case("CommentAgent"), "comment_agent");
    }
}
