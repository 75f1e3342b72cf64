use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use formicary_protocol::Signal;
use futures_util::Stream;
use tokio::time::Instant;

use super::recording::Book;
use super::{Extract, Needs, Recorder};
use crate::agent::invocation::Held;
use crate::agent::own_calls::{Origin, OwnCalls, Registered};
use crate::agent::shared::Shared;
use crate::agent::{Invocation, answer};
use crate::bus::{AnswerStream, Bus, RawCall};
use crate::error::{CallError, Error};

/// Calls: publishes one kind of signal and waits for answers.
///
/// It is an extractor: a handler that calls says so in its signature. A call has a deadline of its own, 10 s by default
/// and never more than the handler has left.
pub struct Call<S> {
    way: Way,
    within: Option<Duration>,
    of: PhantomData<fn(S)>,
}

#[derive(Clone)]
enum Way {
    Bus(Caller),
    Book(Arc<Book>),
}

#[derive(Clone)]
struct Caller {
    bus: Bus,
    sender: Arc<str>,
    signal: Arc<str>,
    scope: Held,
    shared: Arc<Shared>,
}

impl<S: Signal> Call<S> {
    /// The same with another deadline. It is still cut to what the handler has left.
    #[must_use]
    pub fn within(&self, within: Duration) -> Self {
        Self { within: Some(within), ..self.clone() }
    }

    /// Asks, and takes the first answer: in it the first value that is not null and decodes.
    ///
    /// # Errors
    /// See [`CallError`]; each cause has a variant of its own.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; a later answer is counted as late.
    pub async fn first(&self, ask: &S) -> Result<S::Answer, CallError> {
        match &self.way {
            Way::Bus(caller) => {
                let count = caller.bus.begin_call(caller.signal.clone());
                let answer = async {
                    let raw = caller.prepare(ask, self.within)?;
                    let _registered = caller.register(&raw);
                    answer::first::<S::Answer>(S::NAME, &caller.bus.call_first(raw).await?)
                }
                .await;
                count.end(answer.as_ref().err());
                answer
            }
            Way::Book(book) => {
                book.record(ask).map_err(|error| invalid(S::NAME, &error))?;
                let timeout = CallError::Timeout { signal: S::NAME.to_owned(), after: Duration::ZERO };
                let value = book.next_answer().unwrap_or(Err(timeout))?;
                serde_json::from_value(value)
                    .map_err(|error| CallError::Decode { signal: S::NAME.to_owned(), reason: error.to_string() })
            }
        }
    }

    /// Asks all, and streams the answers as they come, until the deadline. One answer of one agent is one item.
    ///
    /// # Errors
    /// When the call cannot be sent at all; errors of single answers are items of the stream. A recording twin cannot
    /// stream and says so.
    pub async fn all(&self, ask: &S) -> Result<Answering<S::Answer>, CallError> {
        match &self.way {
            Way::Bus(caller) => {
                let raw = caller.prepare(ask, self.within)?;
                let registered = caller.register(&raw);
                Ok(Answering { stream: caller.bus.call_all(raw)?, _registered: registered })
            }
            Way::Book(_) => Err(invalid(S::NAME, &"a recording `Call` answers `first` only")),
        }
    }

    /// A twin that records what is asked and answers as told, for tests that call a handler as a plain method.
    pub fn recording() -> (Self, Recorder<S>) {
        let (recorder, book) = Recorder::new();
        (Self { way: Way::Book(book), within: None, of: PhantomData }, recorder)
    }
}

fn invalid(signal: &str, reason: &dyn std::fmt::Display) -> CallError {
    CallError::Invalid { signal: signal.to_owned(), reason: reason.to_string() }
}

impl Caller {
    fn prepare<S: Signal>(&self, ask: &S, within: Option<Duration>) -> Result<RawCall, CallError> {
        let within = within.unwrap_or(self.bus.env().limits.call_deadline);
        let left = self.scope.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let within = left.map_or(within, |left| left.min(within));
        self.bus
            .prepare(self.signal.clone(), self.sender.clone(), ask, within)
            .map_err(|error| invalid(S::NAME, &error))
    }

    /// A handle that has outlived its handler holds no turn.
    fn register(&self, raw: &RawCall) -> Registered {
        let origin = Origin { handler: self.scope.handler().clone(), turn: self.scope.turn() };
        OwnCalls::register(&self.shared, raw.id.clone(), origin)
    }
}

/// The stream of answers of [`Call::all`].
#[derive(Debug)]
pub struct Answering<T> {
    stream: AnswerStream<T>,
    _registered: Registered,
}

impl<T: serde::de::DeserializeOwned> Answering<T> {
    /// The next answer, or `None` after the deadline.
    ///
    /// # Cancel safety
    /// Cancel safe: no answer is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        self.stream.next().await
    }
}

impl<T: serde::de::DeserializeOwned> Stream for Answering<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

impl<S> Clone for Call<S> {
    fn clone(&self) -> Self {
        Self { way: self.way.clone(), within: self.within, of: PhantomData }
    }
}

impl<S: Signal> std::fmt::Debug for Call<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Call<{}>", S::NAME)
    }
}

impl<S: Signal> Extract for Call<S> {
    fn needs(needs: &mut Needs) {
        needs.calls::<S>();
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        let shared = invocation.shared();
        let caller = Caller {
            bus: shared.buses.of(S::NAME).ok_or(Error::Closed("the bus"))?.clone(),
            sender: shared.agent.clone(),
            signal: S::NAME.into(),
            scope: invocation.scope.clone(),
            shared: shared.clone(),
        };
        Ok(Self { way: Way::Bus(caller), within: None, of: PhantomData })
    }
}
