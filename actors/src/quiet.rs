use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One line a minute for each thing that repeats.
#[derive(Debug, Default)]
pub(crate) struct Quiet(Mutex<HashMap<(&'static str, String), Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    since: u64,
}

const EVERY: Duration = Duration::from_secs(60);
/// A million distinct names must not become a million entries.
const MOST_NAMES: usize = 1_024;

impl Quiet {
    /// `Some(n)` when a line is due, where `n` counts what happened since the last one, this one included.
    pub(crate) fn due(&self, kind: &'static str, name: &str) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if said.len() >= MOST_NAMES && !said.contains_key(&(kind, name.to_owned())) {
            said.retain(|_, said| now - said.at < EVERY);
            if said.len() >= MOST_NAMES {
                return None;
            }
        }
        match said.get_mut(&(kind, name.to_owned())) {
            Some(entry) if now - entry.at < EVERY => {
                entry.since += 1;
                None
            }
            Some(entry) => {
                let count = entry.since + 1;
                *entry = Said { at: now, since: 0 };
                Some(count)
            }
            None => {
                said.insert((kind, name.to_owned()), Said { at: now, since: 0 });
                Some(1)
            }
        }
    }
}
