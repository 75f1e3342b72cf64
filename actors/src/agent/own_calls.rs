//! The calls that an agent has under way itself: the way to see that one of them comes back to its own caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::turns::Turn;

#[derive(Debug, Default)]
pub(crate) struct OwnCalls(Mutex<HashMap<Arc<str>, Origin>>);

/// Which handler calls, and which turn it holds meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) handler: Arc<str>,
    pub(crate) turn: Turn,
}

/// Forgets the call when it ends.
#[derive(Debug)]
pub(crate) struct Registered {
    calls: Arc<OwnCalls>,
    id: Arc<str>,
}

impl OwnCalls {
    pub(crate) fn register(self: &Arc<Self>, id: Arc<str>, origin: Origin) -> Registered {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), origin);
        Registered { calls: self.clone(), id }
    }

    pub(crate) fn origin(&self, id: &str) -> Option<Origin> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.calls.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
