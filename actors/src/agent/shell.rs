//! The shell: the actix actor around one agent.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::Agent;
use super::access::LocalFuture;
use super::builder::AgentBuilder;
use super::check::check;
use super::inbox::Inbox;
use super::info::Facts;
use super::instance::guarded;
use super::life::{Ask, Life, StopLine, live};
use super::receive::ReceiverInbox;
use super::shared::{Routes, Shared};
use crate::Env;
use crate::broker::Broker;
use crate::bus::Bus;
use crate::contract::Reply;
use crate::error::Error;
use crate::registry::{AgentId, Ended, Registry, Report, RestartPolicy, Started, Supervise, Verdict};

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
    pub(crate) env: Env,
    pub(crate) buses: Routes<Bus>,
    pub(crate) brokers: Routes<Broker>,
    pub(crate) settings: Value,
    pub(crate) flags: StartFlags,
    pub(crate) registry: Addr<Registry>,
    pub(crate) restart: Arc<RestartPolicy>,
    pub(crate) started: Reply<Result<(), Error>>,
}

/// The actor. It never runs user code in its own poll: that runs in tasks under `catch_unwind`.
pub(crate) struct Shell {
    stops: Rc<StopLine>,
    life: Option<LocalFuture<'static, ()>>,
    registry: Addr<Registry>,
    restart: Arc<RestartPolicy>,
    id: AgentId,
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
    pub(crate) fn launch<A: Agent>(setup: Setup, factory: Arc<dyn Fn() -> A + Send + Sync>) {
        let stops = Rc::<StopLine>::default();
        let (id, registry, restart) = (setup.id, setup.registry.clone(), setup.restart.clone());
        let life = prepare::<A>(setup, factory, stops.clone());
        Self { stops, life: Some(life), registry, restart, id }.start();
    }
}

/// Declares the agent and checks it; its life begins when the future is polled.
fn prepare<A: Agent>(
    setup: Setup,
    factory: Arc<dyn Fn() -> A + Send + Sync>,
    stops: Rc<StopLine>,
) -> LocalFuture<'static, ()> {
    let Setup { id, name, env, buses, brokers, settings, flags, registry, started, restart: _ } = setup;
    let type_name = short_name(std::any::type_name::<A>());
    let declared = super::instance::guarded_now(|| {
        let mut builder = AgentBuilder::<A>::new();
        A::declare(&mut builder);
        builder.build()
    });
    let plan = match declared {
        Ok(plan) => plan,
        Err(message) => {
            let error = Error::Start { agent: type_name, place: "declaration".to_owned(), message };
            return Box::pin(async move { started.send(Err(error)) });
        }
    };
    let agent = name.or_else(|| plan.name.clone()).unwrap_or_else(|| snake_case(&type_name));
    let shared = Shared::new(agent.as_str().into(), type_name.as_str().into(), env, buses, brokers, settings);
    let shared = Arc::new(shared);
    let mut problems = check(&plan, &shared);
    if let Err(error) = formicary_protocol::check_sender(&agent) {
        problems.push(error.to_string());
    }
    if !problems.is_empty() {
        return Box::pin(async move { started.send(Err(Error::Misfit { agent, problems })) });
    }
    let receivers = plan.receivers.iter().map(|plan| {
        Arc::new(ReceiverInbox {
            name: plan.handler.name.clone(),
            key: format!("{}.{}", shared.type_name, plan.handler.name).into(),
            inbox: Inbox::new(plan.options.inbox, shared.env.gauge.clone()),
        })
    });
    let receivers: Arc<[_]> = receivers.collect();
    Box::pin(async move {
        let (buses, brokers) = (described_buses(&shared.buses).await, described_brokers(&shared.brokers).await);
        let info = Arc::new(Facts::new(&plan, shared.clone(), flags, receivers.clone(), buses, brokers));
        let life = Life {
            shared,
            plan: Rc::new(plan),
            factory,
            flags,
            info,
            receivers,
            consumers: Rc::new([]),
            subscriptions: Vec::new(),
            opened: false,
            started: Some(started),
            ask: asks(registry.clone(), id),
            up: Box::new(move |info| registry.do_send(Started { id, info })),
        };
        live(life, stops).await;
    })
}

fn asks(registry: Addr<Registry>, id: AgentId) -> Ask {
    Box::new(move |ended| {
        let registry = registry.clone();
        Box::pin(async move {
            let (reply, verdict) = Reply::new();
            registry.do_send(Report { id, ended, reply });
            verdict.await.unwrap_or(Verdict::End)
        })
    })
}

async fn described_buses(routes: &Routes<Bus>) -> Vec<String> {
    let mut described = Vec::new();
    for bus in routes.default.iter().chain(routes.named.values()) {
        if let Ok(description) = bus.describe().await {
            described.push(format!("{} bus at {}", description.adapter, description.address));
        }
    }
    described
}

async fn described_brokers(routes: &Routes<Broker>) -> Vec<String> {
    let mut described = Vec::new();
    for broker in routes.default.iter().chain(routes.named.values()) {
        if let Ok(description) = broker.describe().await {
            described.push(format!("{} broker at {}", description.adapter, description.address));
        }
    }
    described
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

    fn started(&mut self, context: &mut Context<Self>) {
        let Some(life) = self.life.take() else { return };
        let (registry, id, address) = (self.registry.clone(), self.id, context.address());
        // Before the life begins: its first report must find the agent known.
        registry.do_send(Supervise { id, shell: address.clone(), restart: self.restart.clone() });
        // A task of its own: the actor is not polled for each wake of the agent's life.
        actix_rt::spawn(async move {
            if let Err(message) = guarded(life).await {
                tracing::error!("the shell of an agent panicked, which is a bug of formicary: {message}");
            }
            let (reply, _) = Reply::new();
            registry.do_send(Report { id, ended: Ended::ForGood, reply });
            address.do_send(End);
        });
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct End;

impl Handler<End> for Shell {
    type Result = ();

    fn handle(&mut self, _: End, context: &mut Context<Self>) {
        context.stop();
    }
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
