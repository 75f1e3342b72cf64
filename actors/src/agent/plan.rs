//! What an agent declared, with its types erased: one erasure for each handler, none for each layer.

use std::any::TypeId;
use std::cell::OnceCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Cron, FieldKind};

use super::access::{Access, LocalFuture};
use super::builder::{ConsumerOptions, CronOptions, HookOptions, PeriodicOptions, ReceiverOptions, ServerOptions};
use super::chain::Chain;
use super::extract::{Extract, Needs, QueueUse, SignalUse};
use super::handle::Handle;
use super::instance::{Core, Instance};
use super::invocation::Invocation;
use super::reception::Receiver;
use super::turns::Turn;
use crate::error::HandlerError;
use crate::events::HandlerKind;
use crate::layers::Layers;

/// Everything that one agent declared.
pub(crate) struct Plan<A> {
    pub(crate) name: Option<String>,
    pub(crate) layers: Layers,
    pub(crate) receivers: Vec<ReceiverPlan<A>>,
    pub(crate) consumers: Vec<ConsumerPlan<A>>,
    pub(crate) periodic: Vec<PeriodicPlan<A>>,
    pub(crate) cron: Vec<CronPlan<A>>,
    pub(crate) pre_start: Vec<HookPlan<A>>,
    pub(crate) post_start: Vec<ServerPlan<A, HookOptions>>,
    pub(crate) pre_stop: Vec<HookPlan<A>>,
    pub(crate) exhausted: Vec<ExhaustedPlan<A>>,
    pub(crate) servers: Vec<ServerPlan<A>>,
    /// Mistakes of the declaration itself, reported when the agent starts.
    pub(crate) mistakes: Vec<String>,
}

impl<A> Default for Plan<A> {
    fn default() -> Self {
        Self {
            name: None,
            layers: Layers::default(),
            receivers: Vec::new(),
            consumers: Vec::new(),
            periodic: Vec::new(),
            cron: Vec::new(),
            pre_start: Vec::new(),
            post_start: Vec::new(),
            pre_stop: Vec::new(),
            exhausted: Vec::new(),
            servers: Vec::new(),
            mistakes: Vec::new(),
        }
    }
}

/// Opens a lane of a handler: a task that takes from its inbox and runs it, again and again. Everything of one message
/// lives in that task, so running a handler costs no allocation.
pub(crate) type OpenLane<A, Of> = Box<dyn Fn(Rc<Instance<A>>, Of) -> LocalFuture<'static, ()>>;
pub(crate) type OpenReceiver<A> = OpenLane<A, Rc<Receiver<A>>>;
/// By the consumer's place in the plan.
pub(crate) type OpenConsumer<A> = OpenLane<A, usize>;
/// Runs a handler that no message begins.
pub(crate) type Task<A> =
    Box<dyn for<'a> Fn(Access<'a, A>, &'a Invocation) -> LocalFuture<'a, Result<(), HandlerError>>>;
pub(crate) type Serve<A> = Box<dyn Fn(Handle<A>, &Invocation) -> LocalFuture<'static, Result<(), HandlerError>>>;

/// What handlers of all kinds have.
pub(crate) struct HandlerPlan {
    pub(crate) name: Arc<str>,
    pub(crate) kind: HandlerKind,
    pub(crate) turn: Turn,
    pub(crate) needs: Needs,
    /// What stands around it, made when it first runs: most handlers of most agents are idle.
    chain: OnceCell<Rc<Chain>>,
}

impl HandlerPlan {
    pub(crate) fn new<X: Extract>(name: &str, kind: HandlerKind, turn: Turn) -> Self {
        let mut needs = Needs::default();
        X::needs(&mut needs);
        Self { name: name.into(), kind, turn, needs, chain: OnceCell::new() }
    }

    pub(crate) fn chain(&self, agents: &Layers, rate: Option<NonZeroU32>, own: &Layers, core: &Core) -> &Rc<Chain> {
        self.chain.get_or_init(|| Rc::new(Chain::new(self, agents, rate, own, core)))
    }
}

pub(crate) struct ReceiverPlan<A> {
    pub(crate) handler: HandlerPlan,
    /// Declared names, once [`expand`](super::patterns::expand) has put them in the place of patterns.
    pub(crate) signals: Vec<Arc<str>>,
    /// The patterns that stood there.
    pub(crate) patterns: Vec<Arc<str>>,
    /// The type of the payload, and its name.
    pub(crate) payload: (TypeId, &'static str),
    /// What the payload's type holds; `None` for payloads taken as values.
    pub(crate) held: Option<SignalUse>,
    pub(crate) answer: FieldKind,
    pub(crate) options: ReceiverOptions,
    pub(crate) open: OpenReceiver<A>,
}

pub(crate) struct ConsumerPlan<A> {
    pub(crate) handler: HandlerPlan,
    pub(crate) queue: QueueUse,
    /// The type of its messages, and its name.
    pub(crate) message: (TypeId, &'static str),
    pub(crate) options: ConsumerOptions,
    pub(crate) open: OpenConsumer<A>,
}

pub(crate) struct PeriodicPlan<A> {
    pub(crate) handler: HandlerPlan,
    pub(crate) period: Duration,
    pub(crate) options: PeriodicOptions,
    pub(crate) task: Task<A>,
}

pub(crate) struct CronPlan<A> {
    pub(crate) handler: HandlerPlan,
    pub(crate) cron: Cron,
    pub(crate) options: CronOptions,
    pub(crate) task: Task<A>,
}

pub(crate) struct HookPlan<A> {
    pub(crate) handler: HandlerPlan,
    pub(crate) options: HookOptions,
    pub(crate) task: Task<A>,
}

/// What runs when a consumer gives a message up.
pub(crate) struct ExhaustedPlan<A> {
    /// The queue of the consumer.
    pub(crate) queue: QueueUse,
    pub(crate) hook: HookPlan<A>,
}

/// A server, or a `post_start` hook: neither takes a turn.
pub(crate) struct ServerPlan<A, O = ServerOptions> {
    pub(crate) handler: HandlerPlan,
    pub(crate) options: O,
    pub(crate) serve: Serve<A>,
}

impl<A> Plan<A> {
    /// Gives back the room for handlers that were not declared.
    pub(crate) fn shrink(&mut self) {
        self.receivers.shrink_to_fit();
        self.consumers.shrink_to_fit();
        self.periodic.shrink_to_fit();
        self.cron.shrink_to_fit();
        self.pre_start.shrink_to_fit();
        self.post_start.shrink_to_fit();
        self.pre_stop.shrink_to_fit();
        self.exhausted.shrink_to_fit();
        self.servers.shrink_to_fit();
    }

    /// Every handler, in the order in which `info()` shows them.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = &HandlerPlan> {
        let receivers = self.receivers.iter().map(|plan| &plan.handler);
        let consumers = self.consumers.iter().map(|plan| &plan.handler);
        let periodic = self.periodic.iter().map(|plan| &plan.handler);
        let cron = self.cron.iter().map(|plan| &plan.handler);
        let exhausted = self.exhausted.iter().map(|plan| &plan.hook);
        let hooks = self.pre_start.iter().chain(&self.pre_stop).chain(exhausted).map(|plan| &plan.handler);
        let post_start = self.post_start.iter().map(|plan| &plan.handler);
        let servers = self.servers.iter().map(|plan| &plan.handler);
        receivers.chain(consumers).chain(periodic).chain(cron).chain(hooks).chain(post_start).chain(servers)
    }
}
