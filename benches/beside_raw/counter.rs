//! How many were handled, for both sides: a round ends when the last one was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    handled: AtomicU64,
    goal: AtomicU64,
    reached: Notify,
}

impl Counter {
    /// The next goal: so many more.
    pub fn expect(&self, more: usize) {
        self.0.goal.store(self.0.handled.load(Ordering::Acquire) + more as u64, Ordering::Release);
    }

    /// One was handled. Every handler here does just this.
    pub fn one(&self) {
        let handled = self.0.handled.fetch_add(1, Ordering::AcqRel) + 1;
        if handled == self.0.goal.load(Ordering::Acquire) {
            self.0.reached.notify_one();
        }
    }

    /// Waits for the goal.
    pub async fn reached(&self) -> Outcome {
        tokio::time::timeout(PATIENCE, self.0.reached.notified()).await.map_err(|_| {
            let left = self.0.goal.load(Ordering::Acquire).saturating_sub(self.0.handled.load(Ordering::Acquire));
            format!("{left} were never handled: lost on the way, or handled after {PATIENCE:?}")
        })?;
        Ok(())
    }
}
