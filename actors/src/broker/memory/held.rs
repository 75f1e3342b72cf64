use std::sync::Arc;

use formicary_protocol::{Bytes, DeadLetter, DeadReason, Entry, Failure};

use crate::Env;
use crate::contract::{Delivered, Token};

/// A message that was taken at least once, or is delayed: an entry whose parts are shared with its delivery, so that a
/// delivery costs no copy.
#[derive(Clone)]
pub(super) struct Held {
    id: Arc<str>,
    attempt: u32,
    first_seen_ms: u64,
    history: Arc<[Failure]>,
    body: Bytes,
}

impl Held {
    /// A message that is seen for the first time.
    pub(super) fn new(env: &Env, body: Bytes) -> Self {
        Self { id: env.ids.id(), attempt: 1, first_seen_ms: env.clock.now_ms(), history: Arc::default(), body }
    }

    pub(super) fn delivered(&self, token: Token) -> Delivered {
        Delivered {
            token,
            id: self.id.clone(),
            attempt: self.attempt,
            first_seen_ms: self.first_seen_ms,
            history: self.history.clone(),
            metadata: Arc::default(),
            body: self.body.clone(),
        }
    }

    /// Notes what went wrong, in the bounds of an entry.
    pub(super) fn failed(self, failure: Option<Failure>) -> Self {
        let Some(failure) = failure else { return self };
        let mut entry = self.into_entry();
        entry.push_failure(failure);
        Self::of(entry)
    }

    pub(super) fn next_attempt(mut self) -> Self {
        self.attempt = self.attempt.saturating_add(1);
        self
    }

    /// The original bytes, unless there is more to be remembered of the message than these.
    pub(super) fn untouched(self) -> Result<Bytes, Self> {
        if self.attempt == 1 && self.history.is_empty() { Ok(self.body) } else { Err(self) }
    }

    pub(super) fn into_letter(self, reason: DeadReason, died_at_ms: u64) -> DeadLetter {
        DeadLetter { entry: self.into_entry(), reason, died_at_ms }
    }

    /// A dead letter that comes back: its attempts are counted anew.
    pub(super) fn replayed(letter: DeadLetter) -> Self {
        Self { attempt: 1, ..Self::of(letter.entry) }
    }

    fn of(entry: Entry) -> Self {
        let Entry { id, attempt, first_seen_ms, history, body } = entry;
        Self { id: id.into(), attempt, first_seen_ms, history: history.into(), body }
    }

    fn into_entry(self) -> Entry {
        let Self { id, attempt, first_seen_ms, history, body } = self;
        Entry { id: id.as_ref().to_owned(), attempt, first_seen_ms, history: history.to_vec(), body }
    }
}
