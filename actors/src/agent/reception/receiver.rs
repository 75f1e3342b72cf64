use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::agent::inbox::Inbox;
use crate::agent::plan::ReceiverPlan;
use crate::agent::receive::ReceiverInbox;
use crate::agent::shared::Shared;

/// A receiver with its inbox. One that replaces another has an inbox of its own, and takes over what waited in the other's.
pub(crate) struct Receiver<A> {
    pub(crate) plan: ReceiverPlan<A>,
    pub(crate) inbox: Arc<ReceiverInbox>,
    /// How many lanes it has, together with those that it replaced: so they share their places. Each instance has a
    /// cell of its own, since a lane that is aborted with its instance may come after the next one's start.
    lanes: RefCell<Rc<Cell<usize>>>,
}

impl<A> Receiver<A> {
    pub(crate) fn new(plan: ReceiverPlan<A>, shared: &Shared) -> Self {
        let inbox = Arc::new(ReceiverInbox::new(
            plan.handler.name.clone(),
            format!("{}.{}", shared.type_name, plan.handler.name).into(),
            Inbox::new(plan.options.inbox, shared.env.gauge.clone()),
        ));
        Self { plan, inbox, lanes: RefCell::default() }
    }

    /// One that takes the place of another.
    pub(super) fn replacing(plan: ReceiverPlan<A>, other: &Self, shared: &Shared) -> Self {
        let new = Self::new(plan, shared);
        new.lanes.replace(other.lanes());
        new
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.plan.handler.name
    }

    pub(super) fn hears(&self, signal: &Arc<str>) -> bool {
        self.plan.signals.contains(signal)
    }

    pub(crate) fn lanes(&self) -> Rc<Cell<usize>> {
        self.lanes.borrow().clone()
    }

    /// How many lanes should be opened, which then count.
    pub(crate) fn lanes_wanted(&self) -> usize {
        let lanes = self.lanes.borrow();
        let wanted = self.inbox.inbox.lanes_wanted(lanes.get(), self.plan.options.concurrency.get());
        lanes.set(lanes.get() + wanted);
        wanted
    }

    /// Lanes of an instance that is gone look no more.
    pub(crate) fn restart(&self) {
        self.lanes.replace(Rc::default());
        self.inbox.inbox.restart();
    }

    /// Nothing enters any more: its lanes end when they have taken what waits.
    pub(super) fn close(&self) {
        self.inbox.close();
        self.inbox.inbox.rouse();
    }

    /// Whether it will never have anything to do again.
    pub(super) fn is_done(&self) -> bool {
        self.inbox.is_closed() && self.inbox.inbox.is_empty()
    }

    /// Takes what waits in the inbox of the one that it replaces, as far as it hears that.
    pub(super) fn take_over(&self, old: &Self, shared: &Shared) {
        let waiting = old.inbox.inbox.take_if(|arrived| self.hears(&arrived.arriving.signal));
        self.inbox.inbox.put_first(waiting, &shared.wake);
    }
}
