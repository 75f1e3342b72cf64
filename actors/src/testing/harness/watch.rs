use std::cell::RefCell;
use std::rc::{Rc, Weak};

use tokio::sync::Notify;

use crate::agent::{Crash, Instance, Observer};

/// What a harness knows of its agent's instances.
pub(super) struct Watch<A> {
    instance: RefCell<Weak<Instance<A>>>,
    crashes: RefCell<Vec<Crash>>,
    changed: Notify,
}

impl<A> Watch<A> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { instance: RefCell::default(), crashes: RefCell::default(), changed: Notify::new() })
    }

    /// The instance that lives now.
    pub(super) fn instance(&self) -> Option<Rc<Instance<A>>> {
        self.instance.borrow().upgrade().filter(|instance| !instance.core.crash.has_happened())
    }

    /// Every crash so far, one that is not yet told included.
    pub(super) fn crashes(&self) -> Vec<Crash> {
        let mut crashes = self.crashes.borrow().clone();
        // When the instance is gone, its crash was told.
        let instance = self.instance.borrow().upgrade();
        crashes.extend(instance.and_then(|instance| instance.core.crash.get().cloned()));
        crashes
    }

    /// An instance has begun, or crashed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl<A> Observer<A> for Watch<A> {
    fn began(&self, instance: &Rc<Instance<A>>) {
        *self.instance.borrow_mut() = Rc::downgrade(instance);
        self.changed.notify_waiters();
    }

    fn crashed(&self, crash: &Crash) {
        // The instance may live a little longer: it is not asked again.
        *self.instance.borrow_mut() = Weak::new();
        self.crashes.borrow_mut().push(crash.clone());
        self.changed.notify_waiters();
    }
}
