//! When a message whose handler failed is tried again.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::agent::RetryInfo;
use crate::error::HandlerError;

/// What a consumer does about a message whose handler failed: how often it is tried, how long it waits in between, and
/// which errors are worth another attempt.
///
/// The delay is kept at the broker, and the attempt number travels with the message: both survive the process. An
/// error, a timeout and a panic are failures alike. Default: 5 attempts, 1 s × 2ⁿ between them, at most 60 s, each × a
/// random 0.5 to 1.
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::{HandlerError, Retry};
///
/// fn is_transient(error: &HandlerError) -> bool {
///     error.kind() == "timeout" || error.source().is::<std::io::Error>()
/// }
///
/// let retry = Retry::exponential(Duration::from_secs(1), Duration::from_secs(60))
///     .attempts(8.try_into().unwrap())
///     .on(is_transient);
/// assert_eq!(retry.wait(3), Duration::from_secs(4));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    waits: Waits,
    attempts: NonZeroU32,
    jitter: f64,
    on: Option<fn(&HandlerError) -> bool>,
}

#[derive(Debug, Clone, Copy)]
enum Waits {
    Constant(Duration),
    Linear { step: Duration, most: Duration },
    Exponential { first: Duration, most: Duration },
    Custom(fn(u32) -> Duration),
}

impl Default for Retry {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1), Duration::from_secs(60))
    }
}

impl Retry {
    /// The same wait after each failed attempt.
    pub fn constant(wait: Duration) -> Self {
        Self::new(Waits::Constant(wait))
    }

    /// A wait that grows by `step`: `step`, 2 × `step`, 3 × `step` …, at most `most`.
    pub fn linear(step: Duration, most: Duration) -> Self {
        Self::new(Waits::Linear { step, most })
    }

    /// A wait that doubles: `first`, 2 × `first`, 4 × `first` …, at most `most`.
    pub fn exponential(first: Duration, most: Duration) -> Self {
        Self::new(Waits::Exponential { first, most })
    }

    /// A wait of your own for the number of the attempt that failed; the first is 1. Jitter is applied to it too.
    pub fn custom(wait: fn(u32) -> Duration) -> Self {
        Self::new(Waits::Custom(wait))
    }

    fn new(waits: Waits) -> Self {
        const ATTEMPTS: NonZeroU32 = NonZeroU32::new(5).unwrap();
        Self { waits, attempts: ATTEMPTS, jitter: 0.5, on: None }
    }

    /// Sets how often a message is tried, the first time included. After the last failure it is a dead letter with the
    /// reason `exhausted`. Default 5.
    #[must_use]
    pub fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the least part of a wait that jitter leaves, from 0 (a wait is anything up to its full length) to 1 (none is
    /// shortened). Default 0.5.
    #[must_use]
    pub fn jitter(mut self, least: f64) -> Self {
        self.jitter = if least.is_finite() { least.clamp(0.0, 1.0) } else { 1.0 };
        self
    }

    /// Sets which errors are worth another attempt. With `false` the message is a dead letter at once, with the reason
    /// `refused`. It is asked of every failure; the [kind](HandlerError::kind) of an error tells timeouts and panics.
    /// Default: all are.
    #[must_use]
    pub fn on(mut self, is_worth_it: fn(&HandlerError) -> bool) -> Self {
        self.on = Some(is_worth_it);
        self
    }

    /// The wait after the attempt of this number has failed, without jitter. The first is 1.
    pub fn wait(&self, attempt: u32) -> Duration {
        let before = attempt.saturating_sub(1);
        match self.waits {
            Waits::Constant(wait) => wait,
            Waits::Linear { step, most } => step.saturating_mul(attempt.max(1)).min(most),
            Waits::Exponential { first, most } => {
                2u32.checked_pow(before).map_or(most, |times| first.saturating_mul(times)).min(most)
            }
            Waits::Custom(wait) => wait(attempt),
        }
    }

    /// How often a message is tried.
    pub fn most_attempts(&self) -> NonZeroU32 {
        self.attempts
    }

    pub(crate) fn info(&self) -> RetryInfo {
        let (backoff, waits) = match self.waits {
            Waits::Constant(wait) => ("constant", Some((wait, wait))),
            Waits::Linear { step, most } => ("linear", Some((step.min(most), most))),
            Waits::Exponential { first, most } => ("exponential", Some((first.min(most), most))),
            Waits::Custom(_) => ("custom", None),
        };
        RetryInfo {
            attempts: self.attempts.get(),
            backoff,
            first: waits.map(|(first, _)| first.as_secs_f64()),
            most: waits.map(|(_, most)| most.as_secs_f64()),
            jitter: self.jitter,
            selective: self.on.is_some(),
        }
    }

    /// Whether another attempt may help.
    pub(crate) fn is_worth_it(&self, error: &HandlerError) -> bool {
        self.on.is_none_or(|on| on(error))
    }

    pub(crate) fn wait_with_jitter(&self, attempt: u32, ids: &crate::Ids) -> Duration {
        ids.jitter(self.wait(attempt), self.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(retry: Retry) -> Vec<u64> {
        (1..=8).map(|attempt| retry.wait(attempt).as_secs()).collect()
    }

    #[test]
    fn waits_grow_as_they_are_told_up_to_their_most() {
        let (one, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(seconds(Retry::default()), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(seconds(Retry::constant(one)), [1; 8]);
        assert_eq!(seconds(Retry::linear(10 * one, minute)), [10, 20, 30, 40, 50, 60, 60, 60]);
        assert_eq!(seconds(Retry::custom(|attempt| Duration::from_secs(u64::from(attempt * attempt))))[..3], [1, 4, 9]);
        for retry in [Retry::default(), Retry::linear(minute, minute)] {
            assert_eq!(retry.wait(u32::MAX), minute);
            assert!(retry.wait(0) <= minute, "there is no attempt 0, and no overflow either");
        }
        assert_eq!(Retry::exponential(Duration::MAX, Duration::MAX).wait(40), Duration::MAX);
    }

    #[test]
    fn jitter_leaves_its_least_part() {
        let ids = crate::Ids::seeded(7);
        for (least, shortest) in [(0.5, 2.0), (1.0, 4.0), (f64::NAN, 4.0), (7.0, 4.0), (-1.0, 0.0)] {
            let retry = Retry::default().jitter(least);
            for _ in 0..200 {
                let wait = retry.wait_with_jitter(3, &ids).as_secs_f64();
                assert!((shortest..=4.0).contains(&wait), "{wait} s with jitter {least}");
            }
        }
    }

    #[test]
    fn an_error_may_be_not_worth_another_attempt() {
        let error = HandlerError::of_kind("timeout", "too long");
        assert!(Retry::default().is_worth_it(&error));
        assert!(Retry::default().on(|error| error.kind() == "timeout").is_worth_it(&error));
        assert!(!Retry::default().on(|error| error.kind() == "panic").is_worth_it(&error));
    }
}
