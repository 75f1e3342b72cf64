//! Counters for each handler: two relaxed additions a run, and no memory for a handler that never ran.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::events::HandlerKind;
use crate::layers::Ending;

/// What became of a handler's runs, from the start of its agent in this process, over all its instances.
///
/// What could not be decoded never reaches its handler and is counted for the group, under `bad_input`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HandlerCounts {
    /// Runs that ended well.
    pub handled: u64,
    /// Runs that returned an error or ran out of time.
    pub failed: u64,
    /// Runs that panicked.
    pub panicked: u64,
    /// Runs that came to no outcome: cut off by a crash or a stop, or refused because they would have waited for their
    /// own caller.
    pub cut_off: u64,
    /// What never ran: signals and calls that a full inbox or a stop refused, and runs of a timer that were left out.
    pub dropped: u64,
    /// What a receiver's filter refused.
    pub filtered: u64,
    /// Runs now, with those that wait for their rate or their turn.
    pub running: u64,
    /// What waits in the inbox now.
    pub waiting: u64,
}

impl HandlerCounts {
    pub(super) fn add(&mut self, tally: &Tally) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let ended @ [handled, failed, panicked, cut_off] =
            [&tally.handled, &tally.failed, &tally.panicked, &tally.cut_off].map(read);
        self.handled += handled;
        self.failed += failed;
        self.panicked += panicked;
        self.cut_off += cut_off;
        self.dropped += read(&tally.dropped);
        self.filtered += read(&tally.filtered);
        // The counts of one moment need not fit each other.
        self.running += read(&tally.begun).saturating_sub(ended.iter().sum());
    }
}

/// The counters of one handler.
#[derive(Debug)]
pub(crate) struct Tally {
    handler: Arc<str>,
    kind: HandlerKind,
    begun: AtomicU64,
    handled: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    cut_off: AtomicU64,
    dropped: AtomicU64,
    filtered: AtomicU64,
}

impl Tally {
    fn new(handler: Arc<str>, kind: HandlerKind) -> Self {
        let zero = AtomicU64::default;
        let [begun, handled, failed, panicked, cut_off, dropped, filtered] = std::array::from_fn(|_| zero());
        Self { handler, kind, begun, handled, failed, panicked, cut_off, dropped, filtered }
    }

    /// Begins a run.
    pub(crate) fn begin(&self) -> Counted<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Counted { tally: self, ended: false }
    }

    /// Something never ran.
    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// A filter refused something.
    pub(crate) fn filtered(&self) {
        self.filtered.fetch_add(1, Ordering::Relaxed);
    }
}

/// A run that counts as running until it is told how it ended, or is dropped.
pub(crate) struct Counted<'a> {
    tally: &'a Tally,
    ended: bool,
}

impl Counted<'_> {
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ended = true;
        let count = match ending {
            Ending::Ok => &self.tally.handled,
            Ending::Failed | Ending::TimedOut => &self.tally.failed,
            Ending::Panicked => &self.tally.panicked,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.tally.cut_off.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The counters of one agent's handlers: of those that ran, or of which something was dropped.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<Vec<Arc<Tally>>>);

impl Tallies {
    /// The counters of a handler. Asked for once by what runs it; handlers of one kind and name have one between them.
    pub(crate) fn of(&self, handler: &Arc<str>, kind: HandlerKind) -> Arc<Tally> {
        let mut tallies = self.tallies();
        match tallies.iter().find(|tally| tally.kind == kind && tally.handler == *handler) {
            Some(tally) => tally.clone(),
            None => {
                let tally = Arc::new(Tally::new(handler.clone(), kind));
                tallies.push(tally.clone());
                tally
            }
        }
    }

    /// What became of a handler's runs, without what waits for it.
    pub(super) fn counts(&self, handler: &str, kind: HandlerKind) -> HandlerCounts {
        let mut counts = HandlerCounts::default();
        let tallies = self.tallies();
        if let Some(tally) = tallies.iter().find(|tally| tally.kind == kind && *tally.handler == *handler) {
            counts.add(tally);
        }
        counts
    }

    fn tallies(&self) -> MutexGuard<'_, Vec<Arc<Tally>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_counted_once_however_it_ends() {
        let tallies = Tallies::default();
        let name: Arc<str> = "count".into();
        assert_eq!(tallies.counts(&name, HandlerKind::Receiver), HandlerCounts::default());
        assert!(tallies.tallies().is_empty(), "a handler that never ran has no counters");
        let tally = tallies.of(&name, HandlerKind::Receiver);
        for ending in [Ending::Ok, Ending::Failed, Ending::TimedOut, Ending::Panicked] {
            tally.begin().end(ending);
        }
        drop(tally.begin());
        tallies.of(&name, HandlerKind::Receiver).dropped();
        tallies.of(&name, HandlerKind::Receiver).filtered();
        let _running = tally.begin();
        let counts = tallies.counts(&name, HandlerKind::Receiver);
        let HandlerCounts { handled, failed, panicked, cut_off, dropped, filtered, running, waiting } = counts;
        assert_eq!([handled, failed, panicked, cut_off, dropped, filtered, running, waiting], [1, 2, 1, 1, 1, 1, 1, 0]);
        assert_eq!(tallies.counts(&name, HandlerKind::Cron), HandlerCounts::default());
    }
}
