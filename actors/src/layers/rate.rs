use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Lets so many runs of a handler begin in a second, evenly spaced.
pub(crate) struct Pace {
    gap: Duration,
    next: Cell<Option<Instant>>,
    /// Who is first waits for the time, and whoever leaves has taken nothing.
    line: tokio::sync::Mutex<()>,
}

/// A timer may wake so late. What its lateness took is made good, or a rate finer than timers would never be reached.
const LATENESS: Duration = Duration::from_millis(2);

impl Pace {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self {
            gap: Duration::from_secs(1) / per_second.get(),
            next: Cell::new(None),
            line: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until the next run may begin. Cancel safe.
    pub(crate) async fn begin(&self) {
        let _first = self.line.lock().await;
        let now = Instant::now();
        let at = self.next.get().filter(|next| *next + LATENESS > now).unwrap_or(now);
        if at > now {
            tokio::time::sleep_until(at).await;
        }
        self.next.set(Some(at + self.gap));
    }
}
