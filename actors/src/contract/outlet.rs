use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext};
use futures_util::Stream;

/// The way of messages to an actor, instead of its mailbox: in order, from any thread, and without an allocation for
/// each message.
///
/// It has no bound of its own. What is in it holds a permit or an entry of a bounded inbox.
#[derive(Debug)]
pub(crate) struct Outlet<T>(Arc<Shared<T>>);

/// The other end of an [`Outlet`]: what came, in order. It ends when every outlet is gone.
#[derive(Debug)]
pub(crate) struct Traffic<T> {
    shared: Arc<Shared<T>>,
    /// Taken from the outlets and not yet given out: one lock for many messages.
    taken: VecDeque<T>,
}

#[derive(Debug)]
struct Shared<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    waker: Option<Waker>,
    outlets: usize,
    closed: bool,
}

/// Room for more than so many messages is given back when a burst is over.
const KEPT: usize = 1_024;
/// After so many messages in a row an actor lets others have the arbiter.
const IN_A_ROW: usize = 256;

/// An outlet and its other end.
pub(crate) fn outlet<T>() -> (Outlet<T>, Traffic<T>) {
    let state = State { waiting: VecDeque::new(), waker: None, outlets: 1, closed: false };
    let shared = Arc::new(Shared(Mutex::new(state)));
    (Outlet(shared.clone()), Traffic { shared, taken: VecDeque::new() })
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Outlet<T> {
    /// Puts a message in. It is dropped when the actor is gone: a reply in it tells its asker.
    pub(crate) fn put(&self, message: T) {
        let waker = {
            let mut state = self.0.state();
            if state.closed {
                drop(state);
                return drop(message);
            }
            state.waiting.push_back(message);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        self.0.state().outlets += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.state();
            state.outlets -= 1;
            if state.outlets == 0 { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Unpin> Stream for Traffic<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if let Some(message) = this.taken.pop_front() {
            return Poll::Ready(Some(message));
        }
        if this.taken.capacity() > KEPT {
            this.taken.shrink_to(KEPT);
        }
        let mut state = this.shared.state();
        if !state.waiting.is_empty() {
            std::mem::swap(&mut state.waiting, &mut this.taken);
            return Poll::Ready(this.taken.pop_front());
        }
        if state.outlets == 0 {
            return Poll::Ready(None);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            waker => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl<T> Drop for Traffic<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.state();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        drop(left);
    }
}

/// Gives an actor what comes through its outlets; with the last of them the actor ends.
pub(crate) struct Feed<T, F> {
    traffic: Traffic<T>,
    handle: F,
}

impl<T, F> Feed<T, F> {
    pub(crate) fn new(traffic: Traffic<T>, handle: F) -> Self {
        Self { traffic, handle }
    }
}

impl<A, T, F> ActorFuture<A> for Feed<T, F>
where
    A: Actor<Context = actix::Context<A>>,
    T: Unpin,
    F: Fn(&mut A, T, &mut actix::Context<A>) + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, actor: &mut A, context: &mut actix::Context<A>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..IN_A_ROW {
            match Pin::new(&mut this.traffic).poll_next(task) {
                Poll::Ready(Some(message)) => (this.handle)(actor, message, context),
                Poll::Ready(None) => {
                    context.stop();
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn it_keeps_the_order_and_ends_with_its_last_outlet() {
        let (outlet, mut traffic) = outlet();
        let other = outlet.clone();
        outlet.put(1);
        other.put(2);
        drop(outlet);
        assert_eq!((traffic.next().now_or_never(), traffic.next().now_or_never()), (Some(Some(1)), Some(Some(2))));
        assert_eq!(traffic.next().now_or_never(), None);
        drop(other);
        assert_eq!(traffic.next().now_or_never(), Some(None));
    }

    #[test]
    fn what_nobody_takes_any_more_is_dropped() {
        let (outlet, traffic) = outlet();
        let message = Arc::new(());
        outlet.put(message.clone());
        drop(traffic);
        outlet.put(message.clone());
        assert_eq!(Arc::strong_count(&message), 1);
    }
}
