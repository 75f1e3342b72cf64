//! Lines by key: who has a key keeps others with the same one waiting, in the order in which they came.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

/// Who waits for which key. A key that nobody has takes no room.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyLines(Rc<RefCell<Lines>>);

type Lines = HashMap<Arc<str>, VecDeque<oneshot::Sender<Hold>>>;

/// A place in the line of a key, taken where it is asked for, so that the order is the one of asking.
#[derive(Debug)]
pub(crate) enum Place {
    First(#[allow(dead_code, reason = "held for its drop")] Hold),
    Waiting(oneshot::Receiver<Hold>),
}

/// The key is held; dropping it passes it on.
#[derive(Debug)]
pub(crate) struct Hold {
    lines: KeyLines,
    key: Arc<str>,
}

impl KeyLines {
    /// Takes a place in the line of a key. Dropping it leaves the line.
    pub(crate) fn join(&self, key: Arc<str>) -> Place {
        let mut lines = self.0.borrow_mut();
        if let Some(line) = lines.get_mut(&key) {
            let (sender, held) = oneshot::channel();
            line.push_back(sender);
            return Place::Waiting(held);
        }
        lines.insert(key.clone(), VecDeque::new());
        Place::First(Hold { lines: self.clone(), key })
    }

    fn next(&self, key: &Arc<str>) -> Option<oneshot::Sender<Hold>> {
        let mut lines = self.0.borrow_mut();
        let line = lines.get_mut(key)?;
        while let Some(waiter) = line.pop_front() {
            if !waiter.is_closed() {
                return Some(waiter);
            }
        }
        lines.remove(key);
        None
    }
}

impl Place {
    pub(crate) fn is_first(&self) -> bool {
        matches!(self, Self::First(_))
    }

    /// Waits until it is the first. Cancel safe.
    pub(crate) async fn be_first(&mut self) {
        if let Self::Waiting(held) = self {
            match held.await {
                Ok(hold) => *self = Self::First(hold),
                // The lines are only dropped together with all that waits in them.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(waiter) = self.lines.next(&self.key) {
            let hold = Self { lines: self.lines.clone(), key: self.key.clone() };
            // One that has left the line meanwhile gives it back, which passes it on.
            drop(waiter.send(hold));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_first(place: &mut Place) -> bool {
        place.be_first().now_or_never().is_some()
    }

    #[test]
    fn one_key_is_held_by_one_in_order_and_others_by_others() {
        let lines = KeyLines::default();
        let first = lines.join("a".into());
        let (mut second, mut third) = (lines.join("a".into()), lines.join("a".into()));
        assert!(first.is_first() && lines.join("b".into()).is_first());
        assert!(!is_first(&mut second) && !is_first(&mut third));
        drop(first);
        assert!(!is_first(&mut third) && is_first(&mut second));
        drop(second);
        assert!(is_first(&mut third));
        drop(third);
        assert!(lines.0.borrow().is_empty(), "a key that nobody has takes no room");
    }

    #[test]
    fn who_leaves_the_line_holds_nobody_up() {
        let lines = KeyLines::default();
        let first = lines.join("a".into());
        let second = lines.join("a".into());
        let mut third = lines.join("a".into());
        drop(second);
        drop(first);
        assert!(is_first(&mut third));
        // One that was given the key and never looked.
        let fourth = lines.join("a".into());
        let mut fifth = lines.join("a".into());
        drop(third);
        drop(fourth);
        assert!(is_first(&mut fifth));
    }
}
