//! What a consumer knows of the attempts of its message.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use formicary_protocol::Failure;

use super::{Extract, Needs};
use crate::agent::Invocation;
use crate::error::{Error, HandlerError};

/// Which attempt this is, of how many, and what went wrong before.
///
/// It is an extractor, for consumers and for handlers of `on_exhausted`.
#[derive(Debug, Clone)]
pub struct RetryContext {
    attempt: u32,
    attempts: NonZeroU32,
    first_seen: SystemTime,
    history: Arc<[Failure]>,
}

impl RetryContext {
    /// For a unit test that calls a handler as a plain method: a message first seen now, without a history.
    pub fn new(attempt: u32, attempts: NonZeroU32) -> Self {
        Self { attempt, attempts, first_seen: SystemTime::now(), history: Arc::default() }
    }

    /// The same with what went wrong at earlier attempts, the oldest first.
    #[must_use]
    pub fn with_history(mut self, history: impl IntoIterator<Item = Failure>) -> Self {
        self.history = history.into_iter().collect();
        self
    }

    /// The number of this attempt; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How often the message is tried ([`Retry::attempts`](crate::Retry::attempts)).
    pub fn attempts(&self) -> NonZeroU32 {
        self.attempts
    }

    /// Whether there is no attempt after this one.
    pub fn is_last(&self) -> bool {
        self.attempt >= self.attempts.get()
    }

    /// When the message was first delivered, by the clock of the consumer that had it then.
    pub fn first_seen(&self) -> SystemTime {
        self.first_seen
    }

    /// What went wrong at the attempt before, if there was one that failed.
    pub fn last_error(&self) -> Option<&Failure> {
        self.history.last()
    }
}

impl Extract for RetryContext {
    fn needs(needs: &mut Needs) {
        needs.retries = true;
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        let Some(state) = &invocation.delivery else {
            let handler = invocation.handler();
            return Err(Error::Settings(format!("`{handler}` has no attempts: `RetryContext` is for consumers")));
        };
        let delivered = &state.delivered;
        let first_seen = Duration::from_millis(delivered.first_seen_ms);
        Ok(Self {
            attempt: delivered.attempt,
            attempts: state.source.attempts,
            first_seen: SystemTime::UNIX_EPOCH.checked_add(first_seen).unwrap_or(SystemTime::UNIX_EPOCH),
            history: delivered.history.clone(),
        })
    }
}

/// Why a message is given up.
///
/// It is an extractor, for handlers of `on_exhausted` only.
#[derive(Debug, Clone)]
pub struct Exhausted {
    error: Arc<HandlerError>,
    attempts: u32,
    history: Arc<[Failure]>,
}

impl Exhausted {
    /// For a unit test that calls a handler as a plain method: a message without a history.
    pub fn new(error: impl Into<HandlerError>, attempts: u32) -> Self {
        Self { error: Arc::new(error.into()), attempts, history: Arc::default() }
    }

    /// The same with what went wrong at earlier attempts, the oldest first.
    #[must_use]
    pub fn with_history(mut self, history: impl IntoIterator<Item = Failure>) -> Self {
        self.history = history.into_iter().collect();
        self
    }

    /// What the last attempt failed with.
    pub fn error(&self) -> &HandlerError {
        &self.error
    }

    /// How many attempts the message has had: never more than its consumer allows, also when it came once more only to be
    /// given up.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What went wrong at the attempts before the last, the oldest first.
    pub fn history(&self) -> &[Failure] {
        &self.history
    }
}

impl Extract for Exhausted {
    fn needs(needs: &mut Needs) {
        needs.exhausted = true;
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        match (&invocation.delivery, &invocation.exhausted) {
            (Some(state), Some(error)) => Ok(Self {
                error: error.clone(),
                attempts: state.delivered.attempt.min(state.source.attempts.get()),
                history: state.delivered.history.clone(),
            }),
            _ => {
                let handler = invocation.handler();
                Err(Error::Settings(format!("`{handler}` gives nothing up: `Exhausted` is for `on_exhausted`")))
            }
        }
    }
}
