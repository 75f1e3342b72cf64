use std::sync::Arc;

use formicary_protocol::{Bytes, DeadLetter, DeadReason, Entry, Failure};

use super::message::{Beside, Message};
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
    beside: Option<Arc<Beside>>,
}

/// A dead letter, with what it has beside its entry.
#[derive(Clone)]
pub(super) struct Buried {
    pub(super) letter: DeadLetter,
    beside: Option<Arc<Beside>>,
}

impl Held {
    /// A message that is seen for the first time.
    pub(super) fn new(env: &Env, message: Message) -> Self {
        let Message { body, beside } = message;
        let id = beside.as_ref().and_then(|beside| beside.id.clone()).unwrap_or_else(|| env.ids.id());
        Self { id, attempt: 1, first_seen_ms: env.clock.now_ms(), history: Arc::default(), body, beside }
    }

    pub(super) fn delivered(&self, token: Token) -> Delivered {
        Delivered {
            token,
            id: self.id.clone(),
            attempt: self.attempt,
            first_seen_ms: self.first_seen_ms,
            history: self.history.clone(),
            metadata: self.beside.as_ref().map(|beside| beside.metadata.clone()).unwrap_or_default(),
            body: self.body.clone(),
        }
    }

    /// Notes what went wrong, in the bounds of an entry.
    pub(super) fn failed(self, failure: Option<Failure>) -> Self {
        let Some(failure) = failure else { return self };
        let (mut entry, beside) = self.into_entry();
        entry.push_failure(failure);
        Self::of(entry, beside)
    }

    pub(super) fn next_attempt(mut self) -> Self {
        self.attempt = self.attempt.saturating_add(1);
        self
    }

    /// The message as it came, unless there is more to be remembered of it.
    pub(super) fn untouched(self) -> Result<Message, Self> {
        let is_untouched = self.attempt == 1 && self.history.is_empty();
        if is_untouched { Ok(Message { body: self.body, beside: self.beside }) } else { Err(self) }
    }

    pub(super) fn into_letter(self, reason: DeadReason, died_at_ms: u64) -> Buried {
        let (entry, beside) = self.into_entry();
        Buried { letter: DeadLetter { entry, reason, died_at_ms }, beside }
    }

    /// A dead letter that comes back: its attempts are counted anew.
    pub(super) fn replayed(buried: Buried) -> Self {
        Self { attempt: 1, ..Self::of(buried.letter.entry, buried.beside) }
    }

    fn of(entry: Entry, beside: Option<Arc<Beside>>) -> Self {
        let Entry { id, attempt, first_seen_ms, history, body } = entry;
        Self { id: id.into(), attempt, first_seen_ms, history: history.into(), body, beside }
    }

    fn into_entry(self) -> (Entry, Option<Arc<Beside>>) {
        let Self { id, attempt, first_seen_ms, history, body, beside } = self;
        let entry = Entry { id: id.as_ref().to_owned(), attempt, first_seen_ms, history: history.to_vec(), body };
        (entry, beside)
    }
}
