use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;

use crate::contract::Seen;

/// The keys of a queue that are remembered, each until its window is over.
#[derive(Default)]
pub(super) struct SeenKeys {
    until: BTreeMap<Arc<str>, Instant>,
    /// The same, by the end of the window.
    ends: BTreeSet<(Instant, Arc<str>)>,
}

/// What became of a key that was to be remembered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remembered {
    /// It was remembered already, and its window stays as it was.
    Known,
    /// It is remembered from now on.
    New {
        /// Others were forgotten before the end of their windows, to make room.
        forgot: bool,
    },
}

impl SeenKeys {
    pub(super) fn holds(&mut self, key: &str) -> bool {
        self.prune();
        self.until.contains_key(key)
    }

    /// Remembers a key. At most so many are; the ones whose windows end first are forgotten beyond.
    pub(super) fn remember(&mut self, seen: Seen, most: usize) -> Remembered {
        let Seen { key, window } = seen;
        if self.holds(&key) {
            return Remembered::Known;
        }
        let mut forgot = false;
        while self.until.len() >= most {
            let Some((_, key)) = self.ends.pop_first() else { break };
            self.until.remove(&key);
            forgot = true;
        }
        let end = crate::clock::after(window);
        self.ends.insert((end, key.clone()));
        self.until.insert(key, end);
        Remembered::New { forgot }
    }

    /// Forgets those whose windows are over.
    fn prune(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((_, key)) = self.ends.first().filter(|(end, _)| *end <= now) {
            self.until.remove(key);
            self.ends.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NEW: Remembered = Remembered::New { forgot: false };

    fn seen(key: &str, seconds: u64) -> Seen {
        Seen { key: key.into(), window: Duration::from_secs(seconds) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_remembered_for_its_window_and_nothing_is_left_of_it() {
        let mut keys = SeenKeys::default();
        assert_eq!(keys.remember(seen("a", 10), 9), NEW);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(keys.remember(seen("a", 10), 9), Remembered::Known);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!keys.holds("a"), "a known key does not begin its window anew");
        assert!(keys.until.is_empty() && keys.ends.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_the_windows_that_end_first_are_forgotten() {
        let mut keys = SeenKeys::default();
        for (key, window) in [("long", 60), ("short", 1), ("middle", 30)] {
            assert_eq!(keys.remember(seen(key, window), 3), NEW);
        }
        assert_eq!(keys.remember(seen("next", 40), 3), Remembered::New { forgot: true });
        assert_eq!(["long", "short", "middle", "next"].map(|key| keys.holds(key)), [true, false, true, true]);
        assert_eq!((keys.until.len(), keys.ends.len()), (3, 3));
    }
}
