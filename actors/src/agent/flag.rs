use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Something that happens once, and that any thread can wait for.
#[derive(Debug, Default)]
pub(crate) struct Flag {
    raised: AtomicBool,
    told: Notify,
}

impl Flag {
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Returns when it is raised. Cancel safe.
    pub(crate) async fn raised(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        // Before the look: what is raised between the two is heard.
        told.as_mut().enable();
        if !self.is_raised() {
            told.await;
        }
    }
}
