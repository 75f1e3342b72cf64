//! Work that begins when an acknowledgement was applied.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::handlers::IntoAnswer;
use super::instance::{Core, guarded, guarded_now};
use crate::error::HandlerError;
use crate::events::{Event, EventKind, HandlerKind};
use crate::stall::seen;

/// It may be given from a thread of the pool.
pub(crate) type AfterAck = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;

/// How much one delivery may have of it.
pub(crate) const MOST: usize = 64;

pub(crate) fn boxed<R: IntoAnswer>(work: impl Future<Output = R> + Send + 'static) -> AfterAck {
    Box::pin(async move { work.await.into_answer().map(drop) })
}

/// Runs what one handling left, in the order in which it was given, within one timeout for all of it.
pub(crate) async fn run(core: &Core, handler: &Arc<str>, timeout: Duration, work: Vec<AfterAck>) {
    let begun = Instant::now();
    let work: Vec<_> = work.into_iter().map(|one| Kept { one: Some(one), core, handler }).collect();
    let all = async {
        for one in work {
            match guarded(seen(core.beat.watched(&core.shared.agent, handler), one)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed(core, handler, begun, &error),
                Err(message) => panicked(core, handler, &message),
            }
        }
    };
    if tokio::time::timeout(timeout, all).await.is_err() {
        failed(core, handler, begun, &HandlerError::of_kind("timeout", format!("no end within {timeout:?}")));
    }
}

/// A future of the user's may panic when it is dropped, too: at the timeout, or with its lane.
struct Kept<'a> {
    one: Option<AfterAck>,
    core: &'a Core,
    handler: &'a Arc<str>,
}

impl Future for Kept<'_> {
    type Output = Result<(), HandlerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.one.as_mut().map_or(Poll::Ready(Ok(())), |one| one.as_mut().poll(context))
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if let Err(message) = guarded_now(|| drop(self.one.take())) {
            panicked(self.core, self.handler, &message);
        }
    }
}

fn failed(core: &Core, handler: &Arc<str>, begun: Instant, error: &HandlerError) {
    let (agent, events) = (&core.shared.agent, &core.shared.env.events);
    if let Some(times) = events.line_due("after_ack failed", &format!("{agent}.{handler}")) {
        tracing::warn!(%agent, %handler, times, "what was to be done after an acknowledgement failed: {error}");
    }
    events.emit(EventKind::Failed, || Event::Failed {
        agent: agent.clone(),
        handler: handler.clone(),
        kind: HandlerKind::Task,
        took: begun.elapsed(),
        error: error.to_string().into(),
    });
}

fn panicked(core: &Core, handler: &Arc<str>, message: &str) {
    let (agent, events) = (&core.shared.agent, &core.shared.env.events);
    if let Some(times) = events.line_due("after_ack panicked", &format!("{agent}.{handler}")) {
        tracing::error!(%agent, %handler, times, "what was to be done after an acknowledgement panicked: {message}");
    }
    events.emit(EventKind::TaskPanicked, || Event::TaskPanicked {
        agent: agent.clone(),
        task: handler.clone(),
        message: message.into(),
    });
}
