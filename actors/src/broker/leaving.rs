//! How a consumer ends: first its intake, then all of it.

use std::cell::Cell;

use tokio::sync::Notify;

/// How far a consumer has ended, and who waits for it.
pub(super) struct Leaving {
    intake_over: Cell<bool>,
    left: Cell<bool>,
    changed: Notify,
}

impl Leaving {
    pub(super) fn new() -> Self {
        Self { intake_over: Cell::default(), left: Cell::default(), changed: Notify::new() }
    }

    pub(super) fn end_intake(&self) {
        self.intake_over.set(true);
        self.changed.notify_waiters();
    }

    pub(super) fn leave(&self) {
        self.left.set(true);
        self.changed.notify_waiters();
    }

    pub(super) async fn intake_ended(&self) {
        self.until(&self.intake_over).await;
    }

    /// Nothing of it is left at the server.
    pub(super) async fn has_left(&self) {
        self.until(&self.left).await;
    }

    async fn until(&self, holds: &Cell<bool>) {
        loop {
            let change = self.changed.notified();
            if holds.get() {
                return;
            }
            change.await;
        }
    }
}
