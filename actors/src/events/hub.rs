use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::broadcast;

use super::{Event, EventKind};
use crate::quiet::Quiet;

/// The stream of what happens in a group.
#[derive(Debug, Clone)]
pub struct Events(Arc<Hub>);

#[derive(Debug)]
struct Hub {
    counters: Box<[AtomicU64]>,
    stream: broadcast::Sender<Event>,
    quiet: Quiet,
}

/// The counters of all kinds at one moment.
pub type Counters = BTreeMap<&'static str, u64>;

impl Events {
    /// A stream that holds so many events for its slowest listener.
    pub fn new(buffer: NonZeroUsize) -> Self {
        Self(Arc::new(Hub {
            counters: EventKind::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            stream: broadcast::channel(buffer.get()).0,
            quiet: Quiet::default(),
        }))
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        Listener { stream: self.0.stream.subscribe(), hub: Arc::downgrade(&self.0) }
    }

    /// How often something of this kind has happened.
    pub fn count(&self, kind: EventKind) -> u64 {
        self.0.counters[kind as usize].load(Ordering::Relaxed)
    }

    /// All counters.
    pub fn counters(&self) -> Counters {
        EventKind::ALL.iter().map(|kind| (kind.word(), self.count(*kind))).collect()
    }

    /// Counts, and tells the listeners if there are any.
    pub fn emit(&self, kind: EventKind, event: impl FnOnce() -> Event) {
        self.add(kind, 1);
        if self.is_heard() {
            let event = event();
            debug_assert_eq!(event.kind(), kind);
            drop(self.0.stream.send(event));
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.stream.receiver_count() > 0
    }

    pub(crate) fn add(&self, kind: EventKind, n: u64) {
        self.0.counters[kind as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// `Some(n)` when a log line about this name is due: the first time, then once a minute. `n` says how often it
    /// happened since the last line.
    pub(crate) fn line_due(&self, kind: &'static str, name: &str) -> Option<u64> {
        self.0.quiet.due(kind, name)
    }
}

impl Default for Events {
    /// A buffer of 4,096 events.
    fn default() -> Self {
        const BUFFER: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
        Self::new(BUFFER)
    }
}

/// A listener of events.
#[derive(Debug)]
pub struct Listener {
    stream: broadcast::Receiver<Event>,
    // Weak, so that the stream ends with the group.
    hub: Weak<Hub>,
}

impl Listener {
    /// The next event, or `None` when the group is gone. A listener that was too slow gets [`Event::Missed`] with the
    /// number of events that it missed, and goes on after them.
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        match self.stream.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(events)) => Some(self.missed(events)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next event if one is there.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.stream.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(events)) => Some(self.missed(events)),
            Err(_) => None,
        }
    }

    fn missed(&self, events: u64) -> Event {
        if let Some(hub) = self.hub.upgrade() {
            Events(hub).add(EventKind::Missed, events);
        }
        Event::Missed { events }
    }
}
