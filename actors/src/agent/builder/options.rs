use std::num::NonZeroUsize;
use std::time::Duration;

use crate::agent::timers::Overlap;

const SIXTY: Duration = Duration::from_secs(60);

/// Options of a receiver.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReceiverOptions {
    /// How long one handling may take. Default 60 s.
    pub timeout: Duration,
    /// How many handlings run at once. Default 64.
    pub concurrency: NonZeroUsize,
    /// How many signals and calls wait; then the newest is refused. Default 1,024.
    pub inbox: NonZeroUsize,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).unwrap();
        const INBOX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        Self { timeout: SIXTY, concurrency: CONCURRENCY, inbox: INBOX }
    }
}

impl ReceiverOptions {
    /// Sets how long one handling may take.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many handlings run at once.
    pub fn concurrency(&mut self, concurrency: NonZeroUsize) -> &mut Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets how many signals and calls wait.
    pub fn inbox(&mut self, inbox: NonZeroUsize) -> &mut Self {
        self.inbox = inbox;
        self
    }
}

/// Options of a consumer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// How long one handling may take. Default 60 s.
    pub timeout: Duration,
    /// How many messages are in hand at once; the broker gives no more. Default 16.
    pub concurrency: NonZeroUsize,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).unwrap();
        Self { timeout: SIXTY, concurrency: CONCURRENCY }
    }
}

impl ConsumerOptions {
    /// Sets how long one handling may take.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many messages are in hand at once.
    pub fn concurrency(&mut self, concurrency: NonZeroUsize) -> &mut Self {
        self.concurrency = concurrency;
        self
    }
}

/// Options of a periodic task.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PeriodicOptions {
    /// How long one run may take. Default: the period.
    pub timeout: Option<Duration>,
    /// How long to wait before the first run. Default 0: at once.
    pub start_after: Duration,
    /// What happens when a run is due and the one before it still runs. Default [`Overlap::Skip`].
    pub overlap: Overlap,
}

impl PeriodicOptions {
    /// Sets how long one run may take.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long to wait before the first run.
    pub fn start_after(&mut self, start_after: Duration) -> &mut Self {
        self.start_after = start_after;
        self
    }

    /// Sets what happens when a run is due and the one before it still runs.
    pub fn overlap(&mut self, overlap: Overlap) -> &mut Self {
        self.overlap = overlap;
        self
    }
}

/// Options of a cron task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CronOptions {
    /// How long one run may take. Default 60 s.
    pub timeout: Duration,
    /// What happens when a run is due and the one before it still runs. Default [`Overlap::Skip`].
    pub overlap: Overlap,
}

impl Default for CronOptions {
    fn default() -> Self {
        Self { timeout: SIXTY, overlap: Overlap::default() }
    }
}

impl CronOptions {
    /// Sets how long one run may take.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = timeout;
        self
    }

    /// Sets what happens when a run is due and the one before it still runs.
    pub fn overlap(&mut self, overlap: Overlap) -> &mut Self {
        self.overlap = overlap;
        self
    }
}

/// Options of a hook.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HookOptions {
    /// How long the hook may take. Default 60 s.
    pub timeout: Duration,
}

impl Default for HookOptions {
    fn default() -> Self {
        Self { timeout: SIXTY }
    }
}

impl HookOptions {
    /// Sets how long the hook may take.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = timeout;
        self
    }
}
