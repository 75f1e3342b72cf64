use std::any::Any;
use std::cell::OnceCell;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::blocking::Work;
use super::context::Cx;
use super::delivery_state::DeliveryState;
use super::instance::Core;
use super::plan::HandlerPlan;
use super::shared::Shared;
use super::task_group::TaskGroup;
use super::turns::Turn;
use crate::error::HandlerError;
use crate::events::HandlerKind;

/// One run of a handler, as extractors and layers see it.
#[derive(Clone)]
pub struct Invocation {
    pub(crate) cx: Cx,
    pub(crate) scope: Held,
    pub(crate) place: Option<Arc<str>>,
    pub(crate) sender: Option<Arc<str>>,
    pub(crate) call: Option<Arc<str>>,
    pub(crate) delivery: Option<Arc<DeliveryState>>,
    /// Why the message is given up, for a handler of `on_exhausted`.
    pub(crate) exhausted: Option<Arc<HandlerError>>,
    pub(crate) tasks: Rc<TaskGroup>,
    pub(crate) reception: Weak<dyn Any>,
    /// What a blocking timer runs on the pool: it may go on when the run has failed.
    pub(crate) late: OnceCell<Rc<Work<()>>>,
}

/// The scope of one run. It holds while the handler runs, and not for a handle of it that lives longer.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    scope: Arc<Scope>,
    run: u64,
}

/// The runs of a handler in one lane, one after the other.
#[derive(Debug)]
struct Scope {
    handler: Arc<str>,
    kind: HandlerKind,
    turn: Turn,
    /// The number of the run that goes on, or comes next.
    number: AtomicU64,
    deadline: Mutex<Option<Instant>>,
}

/// A run that goes on.
pub(crate) struct InScope<'a>(&'a Held);

impl Drop for InScope<'_> {
    fn drop(&mut self) {
        self.0.scope.number.fetch_add(1, Ordering::AcqRel);
    }
}

impl Held {
    fn new(handler: Arc<str>, kind: HandlerKind, turn: Turn) -> Self {
        let scope = Scope { handler, kind, turn, number: AtomicU64::new(0), deadline: Mutex::new(None) };
        Self { scope: Arc::new(scope), run: 0 }
    }

    /// Begins the run. It ends when what this returns is dropped.
    pub(crate) fn begin(&self, deadline: Option<Instant>) -> InScope<'_> {
        *self.scope_deadline() = deadline;
        InScope(self)
    }

    /// What is held from now on is the next run.
    fn next(&mut self) {
        self.run = self.scope.number.load(Ordering::Acquire);
    }

    pub(crate) fn handler(&self) -> &Arc<str> {
        &self.scope.handler
    }

    /// The turn that the handler holds: none when it has ended.
    pub(crate) fn turn(&self) -> Turn {
        if self.goes_on() { self.scope.turn } else { Turn::None }
    }

    /// The deadline of the handler; `None` when it has none, or has ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = *self.scope_deadline();
        // After the deadline was read: it may be the next run's.
        deadline.filter(|_| self.goes_on())
    }

    fn goes_on(&self) -> bool {
        self.scope.number.load(Ordering::Acquire) == self.run
    }

    fn scope_deadline(&self) -> MutexGuard<'_, Option<Instant>> {
        self.scope.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Invocation {
    pub(crate) fn new(core: &Core, cx: Cx, plan: &HandlerPlan) -> Self {
        let (tasks, reception) = (core.tasks.group().clone(), core.reception.clone());
        let scope = Held::new(plan.name.clone(), plan.kind, plan.turn);
        let late = OnceCell::new();
        let (place, sender, call, delivery, exhausted) = (None, None, None, None, None);
        Self { cx, scope, place, sender, call, delivery, exhausted, tasks, reception, late }
    }

    /// Forgets the run that has ended, so that the next one begins with nothing of it.
    pub(crate) fn end(&mut self) {
        self.scope.next();
        self.sender = None;
        self.call = None;
        self.delivery = None;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.cx.shared()
    }

    /// The context of the agent.
    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    /// The handler's name.
    pub fn handler(&self) -> &str {
        &self.scope.scope.handler
    }

    /// What sort of handler it is.
    pub fn kind(&self) -> HandlerKind {
        self.scope.scope.kind
    }

    /// The signal or the queue; `None` for handlers of other kinds.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// Who sent the signal; `None` for handlers of other kinds.
    pub fn sender(&self) -> Option<&str> {
        self.sender.as_deref()
    }

    /// The id of the call or of the message; `None` for a signal, which has none, and for handlers of other kinds.
    pub fn id(&self) -> Option<&str> {
        self.call.as_deref().or_else(|| self.delivery.as_ref().map(|delivery| &*delivery.delivered.id))
    }

    /// The number of this attempt, from 1; `None` for handlers of other kinds than consumers.
    pub fn attempt(&self) -> Option<u32> {
        self.delivery.as_ref().map(|delivery| delivery.delivered.attempt)
    }

    /// How long the handler still has; `None` for servers, which have no timeout.
    pub fn time_left(&self) -> Option<Duration> {
        self.scope.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Invocation");
        debug.field("handler", &self.handler()).field("kind", &self.kind()).field("place", &self.place());
        debug.field("id", &self.id()).finish_non_exhaustive()
    }
}
