//! The calls that an agent has under way itself: the way to see that one of them comes back to its own caller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::shared::Shared;
use super::turns::Turn;

#[derive(Debug, Default)]
pub(crate) struct OwnCalls(Mutex<BTreeMap<Arc<str>, Origin>>);

/// Which handler calls, and which turn it holds meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) handler: Arc<str>,
    pub(crate) turn: Turn,
}

/// Forgets the call when it ends.
pub(crate) struct Registered {
    shared: Arc<Shared>,
    id: Arc<str>,
}

impl OwnCalls {
    pub(crate) fn register(shared: &Arc<Shared>, id: Arc<str>, origin: Origin) -> Registered {
        shared.own_calls.calls().insert(id.clone(), origin);
        Registered { shared: shared.clone(), id }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Origin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn origin(&self, id: &str) -> Option<Origin> {
        self.calls().get(id).cloned()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shared.own_calls.calls().remove(&self.id);
    }
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Registered").field(&self.id).finish()
    }
}
