use tokio::sync::{mpsc, oneshot};

use super::builder::AgentBuilder;
use super::context::Cx;
use super::instance::Instance;
use super::turns::Turn;
use crate::error::Error;

/// A way to an agent's state for code that takes no turn: servers, `post_start`, and whatever they start.
///
/// It can be sent to other threads. Its closures run on the agent's arbiter, one at a time with the handlers as their
/// turns are, and cannot wait for anything.
pub struct Handle<A> {
    jobs: mpsc::Sender<Job<A>>,
    cx: Cx,
}

/// The agent has ended, or crashed while the closure waited for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent has ended or crashed before the closure had its turn")]
pub struct Gone;

/// Many requests of servers may wait at once; one more waits for a place here.
pub(crate) const JOBS: usize = 1_024;

pub(crate) struct Job<A> {
    pub(crate) turn: Turn,
    pub(crate) run: Closure<A>,
}

type Closure<A> = Box<dyn FnOnce(&Instance<A>) + Send>;

impl<A: 'static> Handle<A> {
    pub(crate) fn new(cx: Cx) -> (Self, mpsc::Receiver<Job<A>>) {
        let (jobs, receiver) = mpsc::channel(JOBS);
        (Self { jobs, cx }, receiver)
    }

    pub(crate) fn with_cx(&self, cx: Cx) -> Self {
        Self { jobs: self.jobs.clone(), cx }
    }

    /// The agent's context.
    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    /// Runs a closure in a read turn.
    ///
    /// # Errors
    /// [`Gone`] when the agent has ended. A closure that panics crashes the agent.
    ///
    /// # Cancel safety
    /// A closure whose future is dropped may still run.
    pub async fn with<R: Send + 'static>(&self, f: impl FnOnce(&A) -> R + Send + 'static) -> Result<R, Gone> {
        self.send(Turn::Read, move |instance| f(&instance.agent.borrow())).await
    }

    /// Runs a closure in a write turn.
    ///
    /// # Errors
    /// [`Gone`] when the agent has ended. A closure that panics crashes the agent.
    ///
    /// # Cancel safety
    /// A closure whose future is dropped may still run.
    pub async fn with_mut<R: Send + 'static>(&self, f: impl FnOnce(&mut A) -> R + Send + 'static) -> Result<R, Gone> {
        self.send(Turn::Write, move |instance| f(&mut instance.agent.borrow_mut())).await
    }

    /// Adds and replaces receivers, as [`Receivers::receive`](super::Receivers::receive) does, from any thread.
    ///
    /// # Errors
    /// As there; [`Error::Closed`] also when the instance has crashed. A closure that panics crashes the agent.
    ///
    /// # Cancel safety
    /// A change whose future is dropped may still be made.
    pub async fn receive(&self, declare: impl FnOnce(&mut AgentBuilder<A>) + Send + 'static) -> Result<(), Error> {
        let closed = || Error::Closed("the agent");
        let begun = self.send(Turn::None, move |instance| instance.reception.receive(declare)).await;
        begun.map_err(|Gone| closed())?.await.map_err(|_| closed())?
    }

    /// Ends a receiver, as [`Receivers::unsubscribe`](super::Receivers::unsubscribe) does, from any thread. `false` also
    /// when the instance has crashed.
    ///
    /// # Cancel safety
    /// A change whose future is dropped may still be made.
    pub async fn unsubscribe(&self, name: &str) -> bool {
        let name = name.to_owned();
        match self.send(Turn::None, move |instance| instance.reception.drop_receiver(&name)).await {
            Ok(begun) => matches!(begun.await, Ok(Ok(true))),
            Err(Gone) => false,
        }
    }

    async fn send<R: Send + 'static>(
        &self,
        turn: Turn,
        f: impl FnOnce(&Instance<A>) -> R + Send + 'static,
    ) -> Result<R, Gone> {
        let (reply, answer) = oneshot::channel();
        let run = Box::new(move |instance: &Instance<A>| drop(reply.send(f(instance))));
        self.jobs.send(Job { turn, run }).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}

/// The next closure; never, for an agent that has nobody to ask for one.
pub(crate) async fn next_job<A>(jobs: &mut Option<mpsc::Receiver<Job<A>>>) -> Option<Job<A>> {
    match jobs {
        Some(jobs) => jobs.recv().await,
        None => None,
    }
}

impl<A> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), cx: self.cx.clone() }
    }
}

impl<A> std::fmt::Debug for Handle<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.cx).finish()
    }
}
