//! Deadlines of many messages, with one timer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Deadlines are looked at no more often than this, however many there are.
const TICK: Duration = Duration::from_millis(5);

/// Rings at the first deadline.
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    rang: Instant,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        let rang = Instant::now();
        Self { sleep: Box::pin(sleep_until(rang)), rang }
    }

    /// Ready at `deadline`, with the time that it is then. It may have come nearer since the last poll.
    pub(crate) fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let at = deadline.max(self.rang + TICK);
        if self.sleep.deadline() != at {
            self.sleep.as_mut().reset(at);
        }
        self.sleep.as_mut().poll(cx).map(|()| {
            self.rang = Instant::now();
            self.rang
        })
    }
}
