//! A bounded inbox: adapters put into it from any thread, the lanes of one handler take from it on theirs.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::load::Gauge;

#[derive(Debug)]
pub(crate) struct Inbox<T> {
    gauge: Gauge,
    items: Mutex<VecDeque<T>>,
    capacity: NonZeroUsize,
    /// Somebody was told to look and has not yet found it empty. Until then nobody else is told.
    looking: AtomicBool,
    /// Lanes that wait for something to come.
    idle: AtomicUsize,
    ready: Notify,
    /// All lanes have their hands full, and another one may be opened.
    wanted: AtomicBool,
}

/// After so many items in a row a lane lets others have the arbiter.
pub(crate) const IN_A_ROW: usize = 64;
/// Room for more than so many items is given back when a burst is over.
const KEPT: usize = 64;

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.drain();
    }
}

impl<T> Inbox<T> {
    pub(crate) fn new(capacity: NonZeroUsize, gauge: Gauge) -> Self {
        Self {
            gauge,
            items: Mutex::new(VecDeque::new()),
            capacity,
            looking: AtomicBool::new(false),
            idle: AtomicUsize::new(0),
            ready: Notify::new(),
            wanted: AtomicBool::new(false),
        }
    }

    /// Puts an item at the end and sees to it that somebody looks, or gives it back when the inbox is full. `opener` is
    /// told when there should be another lane.
    pub(crate) fn push(&self, item: T, opener: &Notify) -> Result<(), T> {
        {
            let mut items = self.items();
            if items.len() >= self.capacity.get() {
                return Err(item);
            }
            self.gauge.entered();
            items.push_back(item);
        }
        self.tell(opener);
        Ok(())
    }

    /// Takes the first item. A lane that finds none goes on with [`Inbox::wait`] or ends.
    pub(crate) fn pop(&self) -> Option<T> {
        let item = self.items().pop_front();
        self.gauge.left(usize::from(item.is_some()));
        item
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.items().len()
    }

    pub(crate) fn drain(&self) -> VecDeque<T> {
        let items = std::mem::take(&mut *self.items());
        self.gauge.left(items.len());
        items
    }

    /// Takes out what `goes` says, in order. It still counts as waiting.
    pub(crate) fn take_if(&self, goes: impl FnMut(&T) -> bool) -> VecDeque<T> {
        let mut items = self.items();
        let (gone, kept) = std::mem::take(&mut *items).into_iter().partition(goes);
        *items = kept;
        gone
    }

    /// Puts what waited in another inbox before all that is here, beyond the capacity if need be.
    pub(crate) fn put_first(&self, mut older: VecDeque<T>, opener: &Notify) {
        if older.is_empty() {
            return;
        }
        {
            let mut items = self.items();
            older.append(&mut items);
            *items = older;
        }
        self.tell(opener);
    }

    /// Puts one item that was taken before all that is here.
    pub(crate) fn put_back(&self, item: T, opener: &Notify) {
        self.gauge.entered();
        self.put_first(VecDeque::from([item]), opener);
    }

    /// A lane has something to wait for: if more is here, somebody else takes it.
    pub(crate) fn pass_on(&self, opener: &Notify) {
        self.looking.store(false, Ordering::SeqCst);
        if !self.is_empty() {
            self.tell(opener);
        }
    }

    /// A lane has found the inbox empty. `true`: it has to look again, now or after having waited; `false`: another lane
    /// waits already, and this one is not needed any more.
    pub(crate) async fn wait(&self) -> bool {
        let is_first = self.idle.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        let idle = is_first.then(|| Idle(&self.idle));
        self.looking.store(false, Ordering::SeqCst);
        // Whoever put something in before that has seen that somebody looked.
        if !self.is_empty() && !self.looking.swap(true, Ordering::SeqCst) {
            return true;
        }
        if idle.is_none() {
            return false;
        }
        if self.items().capacity() > KEPT {
            self.items().shrink_to(KEPT);
        }
        self.ready.notified().await;
        true
    }

    /// How many lanes should be opened beside those that are open, which all wait for something or have had their share:
    /// as many again, or as it takes to empty the inbox in one go. Asked once for each wish.
    pub(crate) fn lanes_wanted(&self, open: usize, most: usize) -> usize {
        // Without room all lanes have their hands full. Each looks when it has done, but one of a handler that was
        // replaced looks elsewhere: the wish stays until there is room.
        if open >= most || !self.wanted.swap(false, Ordering::SeqCst) {
            return 0;
        }
        if self.is_empty() {
            // A lane that is open has taken it meanwhile, so nobody looks any more; unless something has come just now.
            self.looking.store(false, Ordering::SeqCst);
            if self.is_empty() || self.looking.swap(true, Ordering::SeqCst) {
                return 0;
            }
        }
        let waiting = self.len().max(1);
        let lanes = open.max(waiting.div_ceil(IN_A_ROW));
        lanes.min(waiting).min(most - open)
    }

    /// Lanes of an instance that is gone look no more.
    pub(crate) fn restart(&self) {
        self.idle.store(0, Ordering::SeqCst);
        let any = !self.is_empty();
        self.looking.store(any, Ordering::SeqCst);
        self.wanted.store(any, Ordering::SeqCst);
    }

    /// Lets a lane that waits look whether it should still be there.
    pub(crate) fn rouse(&self) {
        self.ready.notify_one();
    }

    fn tell(&self, opener: &Notify) {
        if self.looking.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.idle.load(Ordering::SeqCst) > 0 {
            self.ready.notify_one();
        } else {
            self.wanted.store(true, Ordering::SeqCst);
            opener.notify_one();
        }
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane that waits.
struct Idle<'a>(&'a AtomicUsize);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        // At most one waits. A lane that is aborted with its instance may come after the next one's start.
        self.0.store(0, Ordering::SeqCst);
    }
}
