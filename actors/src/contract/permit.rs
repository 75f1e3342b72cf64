use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The right of one message to be under way. It is held until the message is done with, and bounds how many are.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

/// How many more messages may be under way. Nobody waits for one: a message too many fails at once.
#[derive(Debug)]
pub(crate) struct Permits(Arc<AtomicUsize>);

impl Permits {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(most)))
    }

    pub(crate) fn take(&self) -> Option<Permit> {
        let fewer = |left: usize| left.checked_sub(1);
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, fewer);
        taken.ok().map(|_| Permit(self.0.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_given_back_can_be_taken_again() {
        let permits = Permits::new(1);
        let first = permits.take();
        assert!(first.is_some() && permits.take().is_none());
        drop(first);
        assert!(permits.take().is_some());
    }
}
