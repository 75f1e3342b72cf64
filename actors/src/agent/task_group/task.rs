use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A task of an agent. Awaiting it gives its [`TaskOutcome`], on any thread.
///
/// Dropping it lets the task go on, and nobody sees what it returns.
#[must_use = "nobody will see what the task returns: wait for it, keep it, or use `spawn_detached`"]
pub struct Task<T> {
    pub(super) name: Arc<str>,
    /// `None` for a task that never began, because its agent had ended.
    pub(super) end: Option<AbortHandle>,
    pub(super) outcome: oneshot::Receiver<TaskOutcome<T>>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskOutcome<T> {
    /// It came to its end and returned this.
    Finished(T),
    /// It was cancelled by its handle, or ended with its agent.
    Cancelled,
    /// It panicked with this message.
    Panicked(String),
}

impl<T> TaskOutcome<T> {
    /// What the task returned, if it came to its end.
    pub fn finished(self) -> Option<T> {
        match self {
            Self::Finished(value) => Some(value),
            Self::Cancelled | Self::Panicked(_) => None,
        }
    }
}

impl<T> Task<T> {
    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cancels the task: it is dropped where it waits. One that has ended already keeps its outcome. Await the task to
    /// know that it is gone.
    pub fn cancel(&self) {
        if let Some(end) = &self.end {
            end.abort();
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.end.as_ref().is_none_or(AbortHandle::is_finished)
    }
}

impl<T> Future for Task<T> {
    type Output = TaskOutcome<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskOutcome<T>> {
        // The other end is dropped with the task.
        let outcome = ready!(Pin::new(&mut self.outcome).poll(context));
        Poll::Ready(outcome.unwrap_or(TaskOutcome::Cancelled))
    }
}

impl<T> std::fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("name", &self.name).field("has_ended", &self.has_ended()).finish()
    }
}
