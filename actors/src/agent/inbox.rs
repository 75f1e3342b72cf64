//! A bounded inbox: adapters put into it from any thread, the agent takes from it on its own.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::load::Gauge;

#[derive(Debug)]
pub(crate) struct Inbox<T> {
    gauge: Gauge,
    items: Mutex<VecDeque<T>>,
    capacity: NonZeroUsize,
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.drain();
    }
}

impl<T> Inbox<T> {
    pub(crate) fn new(capacity: NonZeroUsize, gauge: Gauge) -> Self {
        Self { gauge, items: Mutex::new(VecDeque::new()), capacity }
    }

    /// Puts an item at the end, or gives it back when the inbox is full.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items();
        if items.len() >= self.capacity.get() {
            return Err(item);
        }
        self.gauge.entered();
        items.push_back(item);
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let item = self.items().pop_front();
        self.gauge.left(usize::from(item.is_some()));
        item
    }

    pub(crate) fn len(&self) -> usize {
        self.items().len()
    }

    pub(crate) fn drain(&self) -> VecDeque<T> {
        let items = std::mem::take(&mut *self.items());
        self.gauge.left(items.len());
        items
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
