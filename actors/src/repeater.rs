//! Work that is prepared once and then done over and over, whatever goes wrong in between.

mod course;
mod lines;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::Backoff;
use crate::agent::{Cx, IntoAnswer};
use crate::error::HandlerError;
use course::Course;

/// Prepares once, then runs for ever: the poll of a device, the reading of a feed.
///
/// `prepare` makes what `run` works with. An error in either is no end: it is counted as
/// [`EventKind::RepeatFailed`](crate::events::EventKind::RepeatFailed), and the same is tried again after a pause that
/// doubles from 1 s to 60 s, with jitter ([`Repeater::backoff`]). Of a row of equal errors the first is logged, then one a
/// minute, then one line says that it works again; there are never more than ten lines a minute. A panic is not caught: it
/// is the panic of the server or task in which the repeater runs.
///
/// It ends without a word when either returns [`Cancelled`] as its error, or when its future is dropped. When the agent
/// stops, what runs is finished, up to the stop deadline, and nothing begins any more. So a `run` that waits for long had
/// better wait for [`Cx::stopping`] too.
///
/// A `run` that returns at once is not let spin: others have their turn after each run, and after 64 runs in a row that
/// waited for nothing there is a pause of 1 ms. [`Repeater::every`] sets a slower pace.
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::agent::{Agent, AgentBuilder, Cx, Handle};
/// use formicary_actors::{Cancelled, HandlerError, Repeater};
///
/// struct Device(u32);
///
/// impl Device {
///     async fn open() -> std::io::Result<Self> {
///         Ok(Self(0))
///     }
///
///     async fn read(&mut self) -> std::io::Result<Option<u32>> {
///         self.0 += 1;
///         Ok((self.0 <= 3).then_some(self.0))
///     }
/// }
///
/// #[derive(Default)]
/// struct Thermometer {
///     last: u32,
/// }
///
/// impl Agent for Thermometer {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.server("poll", async |me: Handle<Self>, cx: Cx| {
///             Repeater::new("device")
///                 .every(Duration::from_secs(5))
///                 .prepare(Device::open)
///                 .run(&cx, async |device| -> Result<(), HandlerError> {
///                     let degrees = device.read().await?.ok_or(Cancelled)?;
///                     Ok(me.with_mut(move |me| me.last = degrees).await?)
///                 })
///                 .await;
///         });
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a repeater does nothing before `run`"]
pub struct Repeater<P = Unprepared> {
    name: Arc<str>,
    every: Duration,
    backoff: Backoff,
    prepare: P,
}

/// The `prepare` of a repeater that has nothing to prepare.
pub type Unprepared = fn() -> std::future::Ready<Result<(), HandlerError>>;

/// Returned as an error by `prepare` or `run`, it ends a [`Repeater`] without a line in the log. It may be the source of
/// another error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Repeater {
    /// A repeater without preparation. The name is for logs and events.
    pub fn new(name: &str) -> Self {
        let prepare: Unprepared = || std::future::ready(Ok(()));
        Self { name: name.into(), every: Duration::ZERO, backoff: Backoff::RETRY, prepare }
    }
}

impl<P> Repeater<P> {
    /// How far apart the beginnings of two runs are at least. A run that takes longer is followed at once by the next.
    /// Default 0: each run is followed at once by the next.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// The pauses after errors: the first, and the cap to which they double. Default 1 s to 60 s, each × a random 0.5
    /// to 1. A pause is never shorter than 1 ms, nor than what is left of [`every`](Self::every).
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Makes what `run` works with, before the first run.
    pub fn prepare<Q, S, E>(self, prepare: Q) -> Repeater<Q>
    where
        Q: AsyncFnMut() -> Result<S, E>,
        E: Into<HandlerError>,
    {
        let Self { name, every, backoff, prepare: _ } = self;
        Repeater { name, every, backoff, prepare }
    }

    /// Runs until the agent stops, or until either closure returns [`Cancelled`]. `run` is given what `prepare` made.
    ///
    /// Call it in a server, or in a task of [`Tasks::spawn_with`](crate::agent::Tasks::spawn_with), with the context of
    /// that server or task.
    ///
    /// # Cancel safety
    /// Dropping the future drops what runs, where it waits.
    pub async fn run<S, E, R, F>(mut self, cx: &Cx, mut run: F)
    where
        P: AsyncFnMut() -> Result<S, E>,
        E: Into<HandlerError>,
        F: AsyncFnMut(&mut S) -> R,
        R: IntoAnswer,
    {
        // What runs when the stop comes is to be finished.
        cx.listens.store(true, Ordering::Release);
        let mut course = Course::new(cx, self.name, self.every, self.backoff);
        let mut made = loop {
            if cx.is_stopping() {
                return;
            }
            let began = Instant::now();
            match (self.prepare)().await.map_err(Into::into) {
                Ok(made) => break made,
                Err(error) if is_cancelled(&error) => return,
                Err(error) => course.failed(began, &error).await,
            }
        };
        course.works();
        while !cx.is_stopping() {
            let began = Instant::now();
            let (ran, waited) = watched(run(&mut made)).await;
            match ran.into_answer() {
                Ok(_) => course.ran(began, waited).await,
                Err(error) if is_cancelled(&error) => return,
                Err(error) => course.failed(began, &error).await,
            }
        }
    }
}

/// Runs a future, and says whether it waited for anything.
async fn watched<T>(future: impl Future<Output = T>) -> (T, bool) {
    let mut future = pin!(future);
    let mut waited = false;
    let outcome = std::future::poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        waited |= poll.is_pending();
        poll
    })
    .await;
    (outcome, waited)
}

fn is_cancelled(error: &HandlerError) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&**error.source());
    while let Some(error) = source {
        if error.is::<Cancelled>() {
            return true;
        }
        source = error.source();
    }
    false
}
