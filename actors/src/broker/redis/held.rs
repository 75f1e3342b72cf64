use std::sync::Arc;

use formicary_protocol::{Bytes, Entry};

use super::field::Field;

/// A message in our place.
pub(super) struct Held {
    pub(super) field: Field,
    /// Nothing once a settlement was accepted.
    pub(super) what: Option<What>,
}

/// What we know of a message: the little that there is at its first attempt, or the whole entry.
pub(super) enum What {
    Fresh { id: Arc<str>, first_seen_ms: u64, body: Bytes },
    Entry(Box<Entry>),
}

impl What {
    pub(super) fn into_entry(self) -> Entry {
        match self {
            Self::Fresh { id, first_seen_ms, body } => Entry::new(&id, first_seen_ms, body),
            Self::Entry(entry) => *entry,
        }
    }
}
