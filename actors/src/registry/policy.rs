use std::time::Duration;

use serde::Serialize;

use crate::Backoff;
use crate::clock::seconds;

/// When an agent whose instance ended gets a new one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RestartKind {
    /// After every end, normal ones included. The default.
    #[default]
    Permanent,
    /// After a crash only.
    Transient,
    /// Never.
    Temporary,
}

/// How the registry restarts an agent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RestartPolicy {
    /// After which ends. Default [`RestartKind::Permanent`].
    pub kind: RestartKind,
    /// The wait before the first restart. Default 0.
    #[serde(serialize_with = "seconds")]
    pub first: Duration,
    /// The waits before later ones. Default 100 ms × 2ⁿ, at most 5 s, each × a random 0.5 to 1.
    pub backoff: Backoff,
    /// Without an end for so long, the next restart counts as the first. Default 30 s.
    #[serde(serialize_with = "seconds")]
    pub reset_after: Duration,
    /// With more ends than this within `window`, the group stops with exit code 3. Default 5.
    pub intensity: usize,
    /// Default 60 s.
    #[serde(serialize_with = "seconds")]
    pub window: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            kind: RestartKind::default(),
            first: Duration::ZERO,
            backoff: Backoff::RESTART,
            reset_after: Duration::from_secs(30),
            intensity: 5,
            window: Duration::from_secs(60),
        }
    }
}

impl RestartPolicy {
    /// The default after crashes only.
    pub fn transient() -> Self {
        Self { kind: RestartKind::Transient, ..Self::default() }
    }

    /// No restart.
    pub fn temporary() -> Self {
        Self { kind: RestartKind::Temporary, ..Self::default() }
    }

    /// The same wait before each restart.
    #[must_use]
    pub fn constant(mut self, wait: Duration) -> Self {
        self.first = wait;
        self.backoff = Backoff { first: wait, cap: wait, least: 1.0 };
        self
    }

    /// How many ends are borne within a window.
    #[must_use]
    pub fn intensity(mut self, ends: usize, window: Duration) -> Self {
        self.intensity = ends;
        self.window = window;
        self
    }
}
