//! What an agent declared, with its types erased: one erasure for each handler, none for each layer.

use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Bytes, Cron, FieldKind, Value};

use super::access::{Access, LocalFuture};
use super::builder::{ConsumerOptions, CronOptions, HookOptions, PeriodicOptions, ReceiverOptions};
use super::decode::DecodeFailure;
use super::extract::{Needs, QueueUse, SignalUse};
use super::handle::Handle;
use super::invocation::Invocation;
use super::shared::Shared;
use super::turns::Turn;
use crate::contract::Arriving;
use crate::error::HandlerError;

/// Everything that one agent declared.
pub(crate) struct Plan<A> {
    pub(crate) name: Option<String>,
    pub(crate) receivers: Vec<ReceiverPlan<A>>,
    pub(crate) consumers: Vec<ConsumerPlan<A>>,
    pub(crate) periodic: Vec<PeriodicPlan<A>>,
    pub(crate) cron: Vec<CronPlan<A>>,
    pub(crate) pre_start: Vec<HookPlan<A>>,
    pub(crate) post_start: Vec<ServerPlan<A>>,
    pub(crate) pre_stop: Vec<HookPlan<A>>,
    pub(crate) servers: Vec<ServerPlan<A>>,
    /// Mistakes of the declaration itself, reported when the agent starts.
    pub(crate) mistakes: Vec<String>,
}

impl<A> Default for Plan<A> {
    fn default() -> Self {
        Self {
            name: None,
            receivers: Vec::new(),
            consumers: Vec::new(),
            periodic: Vec::new(),
            cron: Vec::new(),
            pre_start: Vec::new(),
            post_start: Vec::new(),
            pre_stop: Vec::new(),
            servers: Vec::new(),
            mistakes: Vec::new(),
        }
    }
}

/// A handler that is ready to run: its payload is decoded, its turn is still to come.
pub(crate) type Ready<A, T> =
    Box<dyn for<'a> FnOnce(Access<'a, A>, &'a Invocation) -> LocalFuture<'a, Result<T, HandlerError>>>;

pub(crate) type ReadSignal<A> = Box<dyn Fn(&Shared, &Arriving) -> Result<Ready<A, Value>, DecodeFailure>>;
pub(crate) type ReadMessage<A> = Box<dyn Fn(&Shared, &Bytes) -> Result<Ready<A, ()>, DecodeFailure>>;
pub(crate) type Task<A> = Box<dyn Fn() -> Ready<A, ()>>;
pub(crate) type Serve<A> = Box<dyn Fn(Handle<A>, Invocation) -> LocalFuture<'static, Result<(), HandlerError>>>;

pub(crate) struct ReceiverPlan<A> {
    pub(crate) name: Arc<str>,
    pub(crate) signals: Vec<Arc<str>>,
    /// What the payload's type holds; `None` for payloads taken as values.
    pub(crate) payload: Option<SignalUse>,
    pub(crate) answer: FieldKind,
    pub(crate) turn: Turn,
    pub(crate) options: ReceiverOptions,
    pub(crate) needs: Needs,
    pub(crate) read: ReadSignal<A>,
}

pub(crate) struct ConsumerPlan<A> {
    pub(crate) name: Arc<str>,
    pub(crate) queue: QueueUse,
    pub(crate) turn: Turn,
    pub(crate) options: ConsumerOptions,
    pub(crate) needs: Needs,
    pub(crate) read: ReadMessage<A>,
}

pub(crate) struct PeriodicPlan<A> {
    pub(crate) name: Arc<str>,
    pub(crate) period: Duration,
    pub(crate) turn: Turn,
    pub(crate) options: PeriodicOptions,
    pub(crate) needs: Needs,
    pub(crate) task: Task<A>,
}

pub(crate) struct CronPlan<A> {
    pub(crate) name: Arc<str>,
    pub(crate) cron: Cron,
    pub(crate) turn: Turn,
    pub(crate) options: CronOptions,
    pub(crate) needs: Needs,
    pub(crate) task: Task<A>,
}

pub(crate) struct HookPlan<A> {
    pub(crate) name: Arc<str>,
    pub(crate) options: HookOptions,
    pub(crate) needs: Needs,
    pub(crate) task: Task<A>,
}

/// A server, or a `post_start` hook: neither takes a turn.
pub(crate) struct ServerPlan<A> {
    pub(crate) name: Arc<str>,
    pub(crate) options: HookOptions,
    pub(crate) needs: Needs,
    pub(crate) serve: Serve<A>,
}

impl<A> Plan<A> {
    /// The needs of every handler, with its name.
    pub(crate) fn needs(&self) -> impl Iterator<Item = (&Arc<str>, &Needs)> {
        let receivers = self.receivers.iter().map(|plan| (&plan.name, &plan.needs));
        let consumers = self.consumers.iter().map(|plan| (&plan.name, &plan.needs));
        let periodic = self.periodic.iter().map(|plan| (&plan.name, &plan.needs));
        let cron = self.cron.iter().map(|plan| (&plan.name, &plan.needs));
        let hooks = self.pre_start.iter().chain(&self.pre_stop).map(|plan| (&plan.name, &plan.needs));
        let servers = self.post_start.iter().chain(&self.servers).map(|plan| (&plan.name, &plan.needs));
        receivers.chain(consumers).chain(periodic).chain(cron).chain(hooks).chain(servers)
    }
}
