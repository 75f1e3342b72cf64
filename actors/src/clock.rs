use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// The instant after a time that a user gave, which may be absurd: 30 years stand for ever.
pub(crate) fn after(wait: std::time::Duration) -> Instant {
    let now = Instant::now();
    let ever = std::time::Duration::from_secs(60 * 60 * 24 * 365 * 30);
    now.checked_add(wait.min(ever)).unwrap_or(now)
}

/// Serializes a time as its seconds.
pub(crate) fn seconds<S: serde::Serializer>(time: &std::time::Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

/// Where a group takes wall time from: cron, and the times in a message's history.
///
/// Everything else (deadlines, back-offs, ticks) runs on tokio's time.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A fixed start plus what tokio's clock has counted since: under a paused clock a whole group can be replayed.
    Counted {
        /// The wall time at `since`.
        start: DateTime<Utc>,
        /// The instant at which it was `start`.
        since: Instant,
    },
}

impl Clock {
    /// A clock that shows `start` now and goes on with tokio's time.
    pub fn counted(start: DateTime<Utc>) -> Self {
        Self::Counted { start, since: Instant::now() }
    }

    /// The wall time now.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => DateTime::<Utc>::from(std::time::SystemTime::now()),
            Self::Counted { start, since } => {
                *start + TimeDelta::from_std(since.elapsed()).unwrap_or(TimeDelta::zero())
            }
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.now().timestamp_millis()).unwrap_or(0)
    }

    /// Whether the clock can be set by somebody while we wait for a time of it.
    pub(crate) fn can_jump(&self) -> bool {
        matches!(self, Self::System)
    }
}
