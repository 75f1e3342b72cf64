use std::time::Duration;

use serde::Serialize;

use crate::clock::seconds;

/// Waits that double from `first` to `cap`, each shortened by jitter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Backoff {
    /// The first wait.
    #[serde(serialize_with = "seconds")]
    pub first: Duration,
    /// No wait is longer.
    #[serde(serialize_with = "seconds")]
    pub cap: Duration,
    /// The least part of a wait that jitter leaves, from 0 (full jitter) to 1 (none).
    pub least: f64,
}

impl Backoff {
    /// The wait before try `n`, counted from 0, without jitter: `first` × 2ⁿ, at most `cap`.
    pub fn full(&self, n: u32) -> Duration {
        2u32.checked_pow(n.min(31)).map_or(self.cap, |times| self.first.saturating_mul(times)).min(self.cap)
    }

    /// The wait before try `n`, counted from 0.
    pub fn wait(&self, n: u32, ids: &crate::Ids) -> Duration {
        ids.jitter(self.full(n), self.least)
    }

    /// The fixed retry policy of queues: 1 s × 2ⁿ, at most 60 s, each × a random 0.5 to 1.
    pub const RETRY: Self = Self { first: Duration::from_secs(1), cap: Duration::from_secs(60), least: 0.5 };

    /// The wait before an instance is started again after its second and later crashes: 100 ms × 2ⁿ, at most 5 s.
    pub const RESTART: Self = Self { first: Duration::from_millis(100), cap: Duration::from_secs(5), least: 0.5 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_never_overflows() {
        let seconds: Vec<_> = (0..8).map(|n| Backoff::RETRY.full(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(Backoff::RETRY.full(u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn jitter_keeps_at_least_its_least_part() {
        let ids = crate::Ids::seeded(7);
        for _ in 0..1_000 {
            let wait = Backoff::RETRY.wait(2, &ids);
            assert!(wait >= Duration::from_secs(2) && wait <= Duration::from_secs(4), "{wait:?}");
        }
    }
}
