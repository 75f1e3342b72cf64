//! How fast the counters went in the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use formicary::{EventKind, Events};

const SPAN: Duration = Duration::from_secs(5);

pub struct Rates {
    events: Events,
    seen: VecDeque<(Instant, Vec<u64>)>,
}

impl Rates {
    pub fn new(events: Events) -> Self {
        Self { events, seen: VecDeque::new() }
    }

    /// Looks at the counters; called for each picture.
    pub fn look(&mut self) {
        let now = Instant::now();
        while self.seen.len() > 1 && self.seen.front().is_some_and(|(at, _)| now - *at > SPAN) {
            self.seen.pop_front();
        }
        let counts = EventKind::ALL.iter().map(|kind| self.events.count(*kind)).collect();
        self.seen.push_back((now, counts));
    }

    pub fn total(&self, kind: EventKind) -> u64 {
        self.events.count(kind)
    }

    /// So many a second.
    pub fn rate(&self, kind: EventKind) -> f64 {
        let (Some((first, before)), Some((last, after))) = (self.seen.front(), self.seen.back()) else { return 0.0 };
        let span = (*last - *first).as_secs_f64();
        let count = |counts: &[u64]| counts.get(kind as usize).copied().unwrap_or_default();
        if span > 0.0 { count(after).saturating_sub(count(before)) as f64 / span } else { 0.0 }
    }
}
