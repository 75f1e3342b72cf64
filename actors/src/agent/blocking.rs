//! Handlers that compute or block: plain functions on the group's pool, without the agent.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::ready;

use formicary_protocol::Bytes;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tracing::Span;

use super::decode::decode_message;
use super::extract::Extract;
use super::handlers::{IntoAnswer, Read, answer_value};
use super::instance::{Core, panic_message};
use super::invocation::Invocation;
use super::lanes::{ConsumeLane, ReceiveLane};
use super::plan::{OpenConsumer, OpenReceiver, Task};
use super::shared::Shared;
use crate::error::HandlerError;

/// A lane of a blocking receiver.
pub(crate) fn signal<A, S, X, R, F>(read: Read<S>, run: F) -> OpenReceiver<A>
where
    A: 'static,
    S: Send + 'static,
    X: Extract + Send,
    R: IntoAnswer,
    R::Answer: Send,
    F: Fn(S, X) -> R + Send + Sync + 'static,
{
    let run = Arc::new(run);
    Box::new(move |instance, receiver| {
        let run = run.clone();
        Box::pin(async move {
            let mut lane = ReceiveLane::open(&instance, &receiver);
            while let Some(arrived) = lane.next().await {
                let Some((payload, ticket)) = lane.read(arrived, read) else { continue };
                let (work, answer) = (Work::default(), Cell::new(None));
                if let Some(begun) = lane.begin(ticket).await {
                    let handler = async {
                        let (run, extractors) = (run.clone(), X::extract(lane.run())?);
                        let work = work.run(lane.run(), move || run(payload, extractors).into_answer());
                        answer.set(Some(work.await?));
                        Ok(())
                    };
                    lane.handle(begun, handler, || answer_value(answer.take())).await;
                }
                work.returned(&instance.core, lane.run()).await;
                lane.end();
            }
        })
    })
}

/// A lane of a blocking consumer.
pub(crate) fn message<A, P, X, R, F>(queue: &'static str, run: F) -> OpenConsumer<A>
where
    A: 'static,
    P: DeserializeOwned + Send + 'static,
    X: Extract + Send,
    R: IntoAnswer,
    F: Fn(P, X) -> R + Send + Sync + 'static,
{
    let run = Arc::new(run);
    Box::new(move |instance, at| {
        let run = run.clone();
        Box::pin(async move {
            let mut lane = ConsumeLane::open(&instance, at);
            while let Some(delivery) = lane.next().await {
                let read = |shared: &Shared, body: &Bytes| decode_message::<P>(shared, queue, body);
                let Some((message, delivery)) = lane.read(delivery, read).await else { continue };
                let work = Work::default();
                let mut settled = None;
                if let Some(begun) = lane.begin(delivery).await {
                    let handler = async {
                        let (run, extractors) = (run.clone(), X::extract(lane.run())?);
                        work.run(lane.run(), move || run(message, extractors).into_answer().map(drop)).await
                    };
                    settled = Some(lane.handle(begun, handler).await);
                }
                work.returned(&instance.core, lane.run()).await;
                drop(settled);
                lane.end();
            }
        })
    })
}

/// A blocking timer.
pub(crate) fn task<A, X, R, F>(run: F) -> Task<A>
where
    A: 'static,
    X: Extract + Send,
    R: IntoAnswer,
    F: Fn(X) -> R + Send + Sync + 'static,
{
    let run = Arc::new(run);
    Box::new(move |_, invocation| {
        let run = run.clone();
        Box::pin(async move {
            let extractors = X::extract(invocation)?;
            let work = invocation.late.get_or_init(Rc::default);
            work.run(invocation, move || run(extractors).into_answer().map(drop)).await
        })
    })
}

/// One run on the pool. What has not begun when this is dropped never does: it has failed, or goes back.
#[derive(Debug)]
pub(crate) struct Work<T>(RefCell<Option<JoinHandle<Result<T, HandlerError>>>>);

impl<T> Default for Work<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.get_mut().iter().for_each(JoinHandle::abort);
    }
}

impl<T: Send + 'static> Work<T> {
    /// Runs it in the handler's span. A panic there is one here.
    async fn run(
        &self,
        invocation: &Invocation,
        work: impl FnOnce() -> Result<T, HandlerError> + Send + 'static,
    ) -> Result<T, HandlerError> {
        let span = Span::current();
        let handle = invocation.shared().env.pool.run(move || span.in_scope(work))?;
        self.0.replace(Some(handle));
        match self.end().await {
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err("the pool of blocking handlers has ended".into()),
        }
    }

    /// A handler that ran out of time keeps its place until it has really returned: a thread cannot be cut off. One that
    /// still waits for a thread never has one.
    pub(crate) async fn returned(&self, core: &Core, invocation: &Invocation) {
        self.give_up();
        if let Some(Err(panic)) = self.end().await {
            core.crash.tell(invocation.scope.handler(), &panic_message(&*panic));
        }
    }

    fn give_up(&self) {
        // Of what runs it ends nothing.
        self.0.borrow().iter().for_each(JoinHandle::abort);
    }

    /// How the work ended, or its panic; `None` when there is none.
    async fn end(&self) -> Option<Result<Result<T, HandlerError>, Box<dyn std::any::Any + Send>>> {
        poll_fn(|context| {
            let mut slot = self.0.borrow_mut();
            let Some(handle) = &mut *slot else { return None.into() };
            let ended = ready!(Pin::new(handle).poll(context));
            *slot = None;
            match ended {
                Ok(outcome) => Some(Ok(outcome)).into(),
                Err(error) => error.try_into_panic().ok().map(Err).into(),
            }
        })
        .await
    }
}
