//! What the lanes of one batch consumer share: one of them gathers at a time, so that a batch fills.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use crate::agent::lanes::InHandDelivery;

/// A message on its way into a batch.
pub(crate) struct Gathered<P> {
    pub(super) message: P,
    pub(super) delivery: InHandDelivery,
}

/// What is shared by the lanes that are there.
pub(super) struct Gatherer<P> {
    busy: Cell<bool>,
    /// Messages behind others of their key, which some batch has: they come when it has done.
    aside: RefCell<Vec<Gathered<P>>>,
}

/// The gatherer of one instance after the other: it ends with its lanes, and with it what it has put aside.
#[derive(Debug)]
pub(crate) struct Gatherers<P>(RefCell<Weak<Gatherer<P>>>);

/// The right to gather.
pub(super) struct Baton<P>(Rc<Gatherer<P>>);

impl<P> Default for Gatherers<P> {
    fn default() -> Self {
        Self(RefCell::new(Weak::new()))
    }
}

impl<P> Gatherers<P> {
    pub(super) fn get(&self) -> Rc<Gatherer<P>> {
        let mut gatherer = self.0.borrow_mut();
        gatherer.upgrade().unwrap_or_else(|| {
            let new = Rc::new(Gatherer { busy: Cell::new(false), aside: RefCell::default() });
            *gatherer = Rc::downgrade(&new);
            new
        })
    }
}

impl<P> Gatherer<P> {
    /// The right to gather; `None` while another lane has it, which then takes all there is to take.
    pub(super) fn begin(self: &Rc<Self>) -> Option<Baton<P>> {
        (!self.busy.replace(true)).then(|| Baton(self.clone()))
    }
}

impl<P> Baton<P> {
    pub(super) fn put_aside(&self, gathered: Gathered<P>) {
        self.0.aside.borrow_mut().push(gathered);
    }

    pub(super) fn has_aside(&self) -> bool {
        !self.0.aside.borrow().is_empty()
    }

    /// The oldest of those aside that nothing is before any more.
    pub(super) fn take_free(&self) -> Option<Gathered<P>> {
        let at = self.poll_free(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(at) = at else { return None };
        Some(self.0.aside.borrow_mut().remove(at))
    }

    /// Waits until there is one.
    pub(super) async fn free(&self) {
        poll_fn(|context| self.poll_free(context).map(drop)).await;
    }

    fn poll_free(&self, context: &mut Context<'_>) -> Poll<usize> {
        let mut aside = self.0.aside.borrow_mut();
        let at = aside.iter_mut().position(|gathered| {
            let Some((_, place)) = &mut gathered.delivery.alike else { return true };
            pin!(place.be_first()).poll(context).is_ready()
        });
        at.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<P> Drop for Baton<P> {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}
