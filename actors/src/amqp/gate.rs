//! Holds the socket back while too much of what came waits in this process.

use futures_util::task::AtomicWaker;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Counts the deliveries that came and are not yet taken, for consumers without acknowledgements: the driver would read on,
/// however much waits. While the gate is closed nothing is read, and what follows waits at the server.
///
/// It closes at the bound and opens at half of it, so that it is not opened and closed for every message.
#[derive(Debug)]
pub(crate) struct Gate {
    most: usize,
    waiting: AtomicUsize,
    is_closed: AtomicBool,
    reader: AtomicWaker,
}

impl Gate {
    /// Without a bound it is always open.
    pub(super) fn new(most: Option<NonZeroUsize>) -> Self {
        let most = most.map_or(usize::MAX, NonZeroUsize::get);
        Self { most, waiting: AtomicUsize::new(0), is_closed: AtomicBool::new(false), reader: AtomicWaker::new() }
    }

    /// A delivery came.
    pub(super) fn came(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
    }

    /// A delivery is taken.
    pub(crate) fn took(&self) {
        let waiting = self.waiting.fetch_sub(1, Ordering::SeqCst).saturating_sub(1);
        if waiting <= self.most / 2 && self.is_closed.load(Ordering::SeqCst) {
            self.reader.wake();
        }
    }

    /// Ready while more may be read.
    pub(super) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        let is_closed = self.is_closed.load(Ordering::SeqCst);
        if !is_closed && self.waiting.load(Ordering::SeqCst) < self.most {
            return Poll::Ready(());
        }
        // In this order, so that a take that does not see it closed is seen here.
        self.reader.register(cx.waker());
        self.is_closed.store(true, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > self.most / 2 {
            return Poll::Pending;
        }
        self.is_closed.store(false, Ordering::SeqCst);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_gate_closes_at_its_bound_and_opens_at_half_of_it() {
        let gate = Gate::new(NonZeroUsize::new(4));
        let woken = Arc::<Count>::default();
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        (0..3).for_each(|_| gate.came());
        assert!(gate.poll_open(&mut cx).is_ready());
        gate.came();
        assert!(gate.poll_open(&mut cx).is_pending());
        gate.took();
        assert!(gate.poll_open(&mut cx).is_pending(), "three of four still wait");
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        gate.took();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(gate.poll_open(&mut cx).is_ready());
    }

    #[test]
    fn a_gate_without_a_bound_is_open() {
        let gate = Gate::new(None);
        (0..100_000).for_each(|_| gate.came());
        assert!(gate.poll_open(&mut Context::from_waker(&noop_waker())).is_ready());
    }
}
