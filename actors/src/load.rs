use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What a group has in hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Load {
    /// Signals, calls and deliveries in the inboxes of its agents.
    pub waiting: u64,
    /// Handlers that run or wait for their turn; not servers.
    pub running: u64,
}

impl Load {
    /// Whether nothing waits and nothing runs.
    pub fn is_idle(&self) -> bool {
        self.waiting == 0 && self.running == 0
    }
}

/// Counts what a group has in hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauge(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicU64,
    running: AtomicU64,
}

/// Something that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct InHand(Gauge);

impl Gauge {
    pub(crate) fn entered(&self) {
        self.0.waiting.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn left(&self, n: usize) {
        self.0.waiting.fetch_sub(n as u64, Ordering::AcqRel);
    }

    /// Taken before the inbox is looked at, so that nothing is ever in neither count.
    pub(crate) fn begin(&self) -> InHand {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        InHand(self.clone())
    }

    pub(crate) fn load(&self) -> Load {
        // What waits is read first: it can only move on to what runs.
        let waiting = self.0.waiting.load(Ordering::Acquire);
        Load { waiting, running: self.0.running.load(Ordering::Acquire) }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
