use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::contract::Seen;

/// The keys that acknowledgements have left, until their windows end.
#[derive(Default)]
pub(super) struct SeenKeys(BTreeMap<(Arc<str>, Arc<str>), Instant>);

impl SeenKeys {
    /// Whether a key of a queue is remembered.
    pub(super) fn has(&self, queue: &Arc<str>, key: &Arc<str>) -> bool {
        self.0.get(&(queue.clone(), key.clone())).is_some_and(|until| *until > Instant::now())
    }

    /// Remembers a key. `false` when it is remembered already.
    pub(super) fn remember(&mut self, queue: &Arc<str>, seen: Seen) -> bool {
        let now = Instant::now();
        self.0.retain(|_, until| *until > now);
        let is_new = !self.has(queue, &seen.key);
        if is_new {
            self.0.insert((queue.clone(), seen.key), crate::clock::after(seen.window));
        }
        is_new
    }
}
