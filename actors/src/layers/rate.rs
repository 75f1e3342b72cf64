use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Lets so many runs of a handler begin in a second, evenly spaced.
pub(crate) struct Pace {
    gap: Duration,
    next: Cell<Option<Instant>>,
}

/// A timer may wake so late. What its lateness took is made good, or a rate finer than timers would never be reached.
const LATENESS: Duration = Duration::from_millis(2);

impl Pace {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.get(), next: Cell::new(None) }
    }

    /// When the next run may begin, if that is not now. Asking takes the place.
    pub(crate) fn begin(&self) -> Option<Instant> {
        let now = Instant::now();
        let at = self.next.get().filter(|next| *next + LATENESS > now).unwrap_or(now);
        self.next.set(Some(at + self.gap));
        (at > now).then_some(at)
    }
}
