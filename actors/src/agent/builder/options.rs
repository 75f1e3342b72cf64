use std::time::Duration;

use crate::agent::timers::Overlap;
use crate::layers::{Layer, Layers};

pub(super) const SIXTY: Duration = Duration::from_secs(60);

/// Writes the setters that the options of several kinds of handler share.
macro_rules! setters {
    (timeout) => {
        /// Sets how long one run may take.
        pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
            self.timeout = timeout.into();
            self
        }
    };
    (concurrency) => {
        /// Sets how many run at once.
        pub fn concurrency(&mut self, concurrency: NonZeroUsize) -> &mut Self {
            self.concurrency = concurrency;
            self
        }
    };
    (rate) => {
        /// Sets how many runs may begin in a second, evenly spaced; what comes faster waits.
        pub fn rate(&mut self, per_second: NonZeroU32) -> &mut Self {
            self.rate = Some(per_second);
            self
        }
    };
    (overlap) => {
        /// Sets what happens when a run is due and the one before it still runs.
        pub fn overlap(&mut self, overlap: Overlap) -> &mut Self {
            self.overlap = overlap;
            self
        }
    };
    (layer) => {
        /// Puts a layer around the handler, inside of those that were added before.
        pub fn layer(&mut self, layer: impl Layer) -> &mut Self {
            self.layers.add(layer);
            self
        }
    };
    ($($name:ident),+) => { $(setters!($name);)+ };
}
pub(super) use setters;

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
    pub(crate) layers: Layers,
}

impl PeriodicOptions {
    setters!(timeout, overlap, layer);

    /// Sets how long to wait before the first run.
    pub fn start_after(&mut self, start_after: Duration) -> &mut Self {
        self.start_after = start_after;
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
    pub(crate) layers: Layers,
}

impl Default for CronOptions {
    fn default() -> Self {
        Self { timeout: SIXTY, overlap: Overlap::default(), layers: Layers::default() }
    }
}

impl CronOptions {
    setters!(timeout, overlap, layer);
}

/// Options of a hook.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HookOptions {
    /// How long the hook may take. Default 60 s.
    pub timeout: Duration,
    pub(crate) layers: Layers,
}

impl Default for HookOptions {
    fn default() -> Self {
        Self { timeout: SIXTY, layers: Layers::default() }
    }
}

impl HookOptions {
    setters!(timeout, layer);
}

/// Options of a server.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ServerOptions {
    pub(crate) layers: Layers,
}

impl ServerOptions {
    setters!(layer);
}
