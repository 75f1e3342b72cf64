//! What an agent receives: its receivers and their subscriptions. They outlive its instances, and change while it runs.

mod change;
mod receiver;
mod receivers;
mod subscription;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use receiver::Receiver;
pub use receivers::Receivers;
use subscription::Subscription;

use super::flag::Flag;
use super::info::{Changed, Declared, Facts};
use super::plan::Plan;
use super::shared::Shared;
use crate::error::Error;

/// It lives on the agent's arbiter.
pub(crate) struct Reception<A> {
    shared: Arc<Shared>,
    /// All that was declared but the receivers.
    plan: Rc<Plan<A>>,
    /// One of each name, in the order of their declaration.
    current: RefCell<Vec<Rc<Receiver<A>>>>,
    /// Those that wait for their subscriptions, and those that have ended and still have signals in their inboxes.
    beside: RefCell<Vec<Rc<Receiver<A>>>>,
    subscriptions: RefCell<Vec<Subscription>>,
    /// Whether it has subscribed; before that, changes are only noted.
    live: Cell<bool>,
    /// Changes are made one after the other, in the order in which they were asked for.
    changing: tokio::sync::Mutex<()>,
    /// The agent ends, and with it every change.
    ended: Flag,
    facts: Arc<Facts>,
}

impl<A: 'static> Reception<A> {
    pub(crate) fn new(shared: Arc<Shared>, mut plan: Plan<A>, facts: Arc<Facts>) -> Rc<Self> {
        let receivers = std::mem::take(&mut plan.receivers);
        let current: Vec<_> = receivers.into_iter().map(|plan| Rc::new(Receiver::new(plan, &shared))).collect();
        facts.receives(current.iter().map(|receiver| receiver.inbox.clone()).collect(), None);
        Rc::new(Self {
            shared,
            plan: Rc::new(plan),
            current: RefCell::new(current),
            beside: RefCell::default(),
            subscriptions: RefCell::default(),
            live: Cell::new(false),
            changing: tokio::sync::Mutex::default(),
            ended: Flag::default(),
            facts,
        })
    }

    pub(crate) fn plan(&self) -> &Rc<Plan<A>> {
        &self.plan
    }

    /// What the agent is, with the receivers that it has now.
    pub(crate) fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// Subscribes; from now on changes are live when they are told to be made.
    pub(crate) async fn open(&self) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let current = self.current.borrow().clone();
        self.subscribe(&current).await?;
        self.live.set(true);
        Ok(())
    }

    /// Ends all subscriptions, and every change that is under way.
    pub(crate) async fn end(&self) {
        self.ended.raise();
        loop {
            let Some(subscription) = self.subscriptions.borrow().last().cloned() else { return };
            // It is forgotten when it has ended: whoever gives up waiting here may try again.
            self.unsubscribe(&subscription).await;
        }
    }

    /// Each receiver that may have something to do. What is done for good is forgotten.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&Rc<Receiver<A>>)) {
        self.current.borrow().iter().for_each(&mut f);
        if self.beside.borrow().is_empty() {
            return;
        }
        // Dropped behind the borrow: their closures hold what is the user's.
        let done: Vec<_> = self.beside.borrow_mut().extract_if(.., |receiver| receiver.is_done()).collect();
        drop(done);
        self.beside.borrow().iter().for_each(&mut f);
    }

    fn tell(&self) {
        let current = self.current.borrow();
        let declared = Declared { plan: &self.plan, outer: self.shared.env.layers.0.len() };
        let plans = || current.iter().map(|receiver| &receiver.plan);
        let changed = Changed { receivers: declared.receivers(plans()), outputs: declared.outputs(plans()) };
        self.facts.receives(current.iter().map(|receiver| receiver.inbox.clone()).collect(), Some(changed));
    }
}
