use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Where an adapter puts the answer to a message.
///
/// Dropping it unanswered tells the other side that the adapter is gone.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<T>);

/// The other end of a [`Reply`]: a future of the answer, `None` when the adapter went away. It needs no runtime.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<T>);

impl<T> Reply<T> {
    /// A reply and the future of what will be put into it.
    pub fn new() -> (Self, Pending<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), Pending(receiver))
    }

    /// Answers. An asker that has stopped waiting is no error.
    pub fn send(self, value: T) {
        drop(self.0.send(value));
    }

    /// Whether the asker has stopped waiting.
    pub fn is_abandoned(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T> Future for Pending<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}
