use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Where an adapter puts the answer to a message.
///
/// Dropping it unanswered tells the other side that the adapter is gone.
#[derive(Debug)]
pub struct Reply<T>(
    /// Nothing once it has answered, since from then on the slot may be another message's; or when nobody waits.
    Option<Arc<Slot<T>>>,
);

/// The other end of a [`Reply`]: a future of the answer, `None` when the adapter went away. It needs no runtime.
#[derive(Debug)]
pub struct Pending<T> {
    /// Nothing once the answer is known.
    slot: Option<Arc<Slot<T>>>,
    /// Where the slot goes then.
    pool: Option<Arc<Replies<T>>>,
}

/// Replies that are used again and again, so that a message costs no allocation for its reply.
#[derive(Debug)]
pub(crate) struct Replies<T>(Mutex<Vec<Arc<Slot<T>>>>);

/// More than this are not kept: a burst must not hold its memory for ever.
const MOST_KEPT: usize = 1_024;

#[derive(Debug)]
struct Slot<T>(Mutex<State<T>>);

#[derive(Debug)]
enum State<T> {
    /// Nobody has answered, and nobody has asked yet.
    Open,
    /// Somebody waits.
    Asked(Waker),
    Answered(T),
    /// There will be no answer.
    Over,
    /// The asker has stopped waiting.
    Abandoned,
}

impl<T> Slot<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Open)))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only the first end counts. Whoever is woken, and what is dropped, is so outside of the lock.
    fn end(&self, with: State<T>) {
        let before = {
            let mut state = self.state();
            match *state {
                State::Open | State::Asked(_) => mem::replace(&mut *state, with),
                _ => return,
            }
        };
        if let State::Asked(waker) = before {
            waker.wake();
        }
    }
}

impl<T> Reply<T> {
    /// A reply and the future of what will be put into it.
    pub fn new() -> (Self, Pending<T>) {
        let slot = Slot::new();
        (Self(Some(slot.clone())), Pending { slot: Some(slot), pool: None })
    }

    /// A reply for which nobody waits.
    pub(crate) fn unheard() -> Self {
        Self(None)
    }

    /// Answers. An asker that has stopped waiting is no error.
    pub fn send(mut self, value: T) {
        if let Some(slot) = self.0.take() {
            slot.end(State::Answered(value));
        }
    }

    /// Whether the asker has stopped waiting.
    pub fn is_abandoned(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| matches!(*slot.state(), State::Abandoned))
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.end(State::Over);
        }
    }
}

impl<T> Pending<T> {
    /// The reply has done what it does, so another message may use the slot.
    fn recycle(&self, slot: Arc<Slot<T>>) {
        if let Some(pool) = &self.pool {
            pool.keep(slot);
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(slot) = &self.slot else { return Poll::Ready(None) };
        let ended = {
            let mut state = slot.state();
            match &mut *state {
                State::Asked(waker) => {
                    waker.clone_from(context.waker());
                    return Poll::Pending;
                }
                State::Open => {
                    *state = State::Asked(context.waker().clone());
                    return Poll::Pending;
                }
                _ => mem::replace(&mut *state, State::Open),
            }
        };
        if let Some(slot) = self.slot.take() {
            self.recycle(slot);
        }
        Poll::Ready(match ended {
            State::Answered(value) => Some(value),
            _ => None,
        })
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let before = {
            let mut state = slot.state();
            match &*state {
                State::Open | State::Asked(_) => mem::replace(&mut *state, State::Abandoned),
                _ => mem::replace(&mut *state, State::Open),
            }
        };
        if let State::Over | State::Answered(_) = before {
            self.recycle(slot);
        }
    }
}

impl<T> Replies<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Vec::new())))
    }

    pub(crate) fn reply(self: &Arc<Self>) -> (Reply<T>, Pending<T>) {
        let slot = self.slots().pop().unwrap_or_else(Slot::new);
        (Reply(Some(slot.clone())), Pending { slot: Some(slot), pool: Some(self.clone()) })
    }

    fn keep(&self, slot: Arc<Slot<T>>) {
        let mut slots = self.slots();
        if slots.len() < MOST_KEPT {
            slots.push(slot);
        }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_slot_is_used_again_and_an_old_reply_cannot_touch_it() {
        let pool = Replies::new();
        let (reply, mut pending) = pool.reply();
        assert!((&mut pending).now_or_never().is_none());
        reply.send(1);
        let first = pending.slot.as_ref().map(Arc::as_ptr);
        assert_eq!((&mut pending).now_or_never(), Some(Some(1)));
        let (reply, mut pending) = pool.reply();
        assert_eq!(pending.slot.as_ref().map(Arc::as_ptr), first);
        assert!((&mut pending).now_or_never().is_none(), "the answer of another message");
        drop(reply);
        assert_eq!(pending.now_or_never(), Some(None));
    }

    #[test]
    fn a_reply_whose_asker_has_gone_knows_and_its_slot_is_not_used_again() {
        let pool = Replies::new();
        let (reply, pending) = pool.reply();
        drop(pending);
        assert!(reply.is_abandoned() && pool.slots().is_empty());
        reply.send(1);
        assert!(pool.slots().is_empty());
    }
}
