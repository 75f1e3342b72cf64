use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use formicary_protocol::{Bytes, Signal, Value, check_sender, encode, encode_signal};
use futures_util::Stream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::{BusPort, bad};
use crate::agent::answer;
use crate::contract::{
    Address, Answers, Call, CallMode, CloseBus, ConnectionState, DescribeBus, Description, Permits, Publish, Replies,
    Reply, SignalInlet, Subscribe, SubscriptionId, Unsubscribe,
};
use crate::error::{CallError, Error, SendError};
use crate::events::{BadInput, Event, EventKind};
use crate::{Env, payload};

/// The handle of a bus: cheap to clone, usable from every thread, with or without a runtime.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    port: BusPort,
    env: Env,
    permits: Permits,
    published: Arc<Replies<Result<Option<u64>, SendError>>>,
    answered: Arc<Replies<Result<Answers, CallError>>>,
    state: watch::Receiver<ConnectionState>,
    link: OnceLock<String>,
    subscriptions: AtomicU64,
}

impl Bus {
    /// A handle of an adapter.
    pub fn new(port: BusPort, env: Env, state: watch::Receiver<ConnectionState>) -> Self {
        let permits = Permits::new(env.limits.in_flight.get());
        Self(Arc::new(Inner {
            port,
            env,
            permits,
            published: Replies::new(),
            answered: Replies::new(),
            state,
            link: OnceLock::new(),
            subscriptions: AtomicU64::new(0),
        }))
    }

    /// Publishes a signal in the name of `sender`. Returns the number of receivers where the adapter knows it.
    ///
    /// # Errors
    /// When the signal is not declared, its body is too large, the sender's name is one that would kill a Python
    /// listener, or the server cannot be reached within the deadline (default 5 s).
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll does not take the signal back.
    pub async fn publish<S: Signal>(&self, sender: &str, signal: &S) -> Result<Option<u64>, Error> {
        self.declared(S::NAME)?;
        check_sender(sender)?;
        Ok(self.publish_body(S::NAME.into(), sender.into(), encode_signal(signal)?, self.send_deadline()).await?)
    }

    /// Publishes a signal that is known only by its name. For tools; agents use `Publish<S>`.
    ///
    /// # Errors
    /// As [`Bus::publish`]; in mode `reject` also when the payload does not fit the declaration.
    pub async fn dynamic(&self, sender: &str, signal: &str, payload: &Value) -> Result<Option<u64>, Error> {
        self.check_payload(signal, payload)?;
        check_sender(sender)?;
        Ok(self.publish_body(signal.into(), sender.into(), encode(payload)?, self.send_deadline()).await?)
    }

    /// Calls, and takes the first answer.
    ///
    /// # Errors
    /// See [`CallError`]; each cause has a variant of its own.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; a later answer is counted as late.
    pub async fn call<S: Signal>(&self, sender: &str, ask: &S) -> Result<S::Answer, Error> {
        check_sender(sender)?;
        let raw = self.prepare::<S>(S::NAME.into(), sender.into(), ask, self.0.env.limits.call_deadline)?;
        let count = self.begin_call(raw.signal.clone());
        let answer = self.call_first(raw).await.and_then(|answers| answer::first::<S::Answer>(S::NAME, &answers));
        count.end(answer.as_ref().err());
        Ok(answer?)
    }

    /// What the bus is and can do.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn describe(&self) -> Result<Description, Error> {
        let (reply, pending) = Reply::new();
        self.0.port.put(DescribeBus(reply));
        let description = pending.await.ok_or(Error::Closed("the bus"))?;
        self.0.link.get_or_init(|| format!("{} bus at {}", description.adapter, description.address));
        Ok(description)
    }

    /// The adapter and its address, once it was asked for them.
    pub(crate) fn link(&self) -> &str {
        self.0.link.get().map_or("a bus that was not asked yet", String::as_str)
    }

    /// Asks for them. The address of an adapter stays the same.
    pub(crate) async fn ask_link(&self) {
        if self.0.link.get().is_none() {
            // A bus that is closed says so itself.
            self.describe().await.ok();
        }
    }

    /// The state of the connection now.
    pub fn connection(&self) -> ConnectionState {
        self.0.state.borrow().clone()
    }

    /// What the bus shares with its group.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// Subscribes an inlet to a signal; returns when the subscription is live. For adapters of other systems and for
    /// tests; agents use receivers.
    ///
    /// # Errors
    /// When the bus is closed or refuses.
    pub async fn subscribe(&self, signal: &str, inlet: Arc<dyn SignalInlet>) -> Result<SubscriptionId, Error> {
        let id = self.next_subscription();
        self.subscribe_as(id, signal, inlet).await?;
        Ok(id)
    }

    pub(crate) fn next_subscription(&self) -> SubscriptionId {
        SubscriptionId(self.0.subscriptions.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) async fn subscribe_as(
        &self,
        id: SubscriptionId,
        signal: &str,
        inlet: Arc<dyn SignalInlet>,
    ) -> Result<(), Error> {
        let (reply, pending) = Reply::new();
        self.0.port.put(Subscribe { id, signal: signal.into(), inlet, reply });
        pending.await.ok_or(Error::Closed("the bus"))?
    }

    /// Ends a subscription.
    pub async fn unsubscribe(&self, id: SubscriptionId) {
        let (reply, pending) = Reply::new();
        self.0.port.put(Unsubscribe { id, reply });
        pending.await;
    }

    /// Closes the bus: publishes that were accepted are carried out until the deadline, and later ones fail. Closing twice
    /// is fine. A group closes its own; this is for whoever started an adapter without one.
    pub async fn close(&self, deadline: Instant) {
        let (reply, pending) = Reply::new();
        self.0.port.put(CloseBus { deadline, reply });
        pending.await;
    }

    pub(crate) fn port(&self) -> &BusPort {
        &self.0.port
    }

    pub(crate) fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    pub(crate) fn send_deadline(&self) -> Instant {
        crate::clock::after(self.0.env.limits.send_deadline)
    }

    pub(crate) fn declared(&self, signal: &str) -> Result<(), Error> {
        match self.0.env.declarations.signal(signal) {
            Some(_) => Ok(()),
            None => Err(Error::Settings(format!(
                "the signal `{signal}` is not declared: add it to the declarations of the group"
            ))),
        }
    }

    pub(crate) fn check_payload(&self, signal: &str, payload: &Value) -> Result<(), Error> {
        self.declared(signal)?;
        let env = &self.0.env;
        let check = || env.declarations.signal(signal).map(|signal| signal.check(payload)).unwrap_or_default();
        payload::judge(env, "sent", signal, check)
            .map_err(|reason| Error::Settings(format!("`{signal}` is not sent: {reason}")))
    }

    /// A body over the limit would be dropped by every receiver; the sender is the one who can do something about it.
    fn check_size(&self, body: &Bytes) -> Result<(), String> {
        let limit = self.0.env.limits.max_body.get();
        if body.len() > limit {
            return Err(format!("its body has {} bytes; the limit is {limit} (setting max_body)", body.len()));
        }
        Ok(())
    }

    pub(crate) async fn publish_body(
        &self,
        signal: Arc<str>,
        sender: Arc<str>,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Option<u64>, SendError> {
        self.check_size(&body).map_err(SendError::not_sent)?;
        let permit = self.0.permits.take().ok_or_else(|| {
            SendError::not_sent(format!(
                "{} messages are under way already (setting in_flight)",
                self.0.env.limits.in_flight
            ))
        })?;
        let (reply, pending) = self.0.published.reply();
        let address = Address::Signal { signal, sender };
        self.0.port.put(Publish { address, body, deadline, reply, permit: Some(permit) });
        pending.await.unwrap_or_else(|| Err(SendError::not_sent("the bus is closed")))
    }

    /// Publishes the half of an answer; nobody waits for it.
    pub(crate) fn answer(&self, address: Address, body: Bytes) {
        let deadline = self.send_deadline();
        let reply = Reply::unheard();
        self.0.port.put(Publish { address, body, deadline, reply, permit: None });
    }

    pub(crate) fn prepare<S: Signal>(
        &self,
        signal: Arc<str>,
        sender: Arc<str>,
        ask: &S,
        within: Duration,
    ) -> Result<RawCall, Error> {
        self.declared(S::NAME)?;
        let id = self.0.env.ids.id();
        Ok(RawCall { signal, sender, id, body: encode_signal(ask)?, deadline: crate::clock::after(within), within })
    }

    pub(crate) async fn call_first(&self, raw: RawCall) -> Result<Answers, CallError> {
        let (reply, pending) = self.0.answered.reply();
        let (signal, within) = (raw.signal.clone(), raw.within);
        self.send_call(raw, CallMode::First(reply))?;
        match pending.await {
            // The waiter knows the deadline, and not when the caller began to count.
            Some(Err(CallError::Timeout { signal, .. })) => Err(CallError::Timeout { signal, after: within }),
            Some(answer) => answer,
            None => Err(CallError::Disconnected { signal: signal.to_string(), reason: "the bus is closed".to_owned() }),
        }
    }

    pub(crate) fn call_all<T>(&self, raw: RawCall) -> Result<AnswerStream<T>, CallError> {
        let (sender, answers) = mpsc::channel(self.0.env.limits.answers.get());
        let count = self.begin_call(raw.signal.clone());
        self.send_call(raw, CallMode::All(sender))?;
        Ok(AnswerStream { answers, count, last: None, decoded: std::marker::PhantomData })
    }

    pub(crate) fn begin_call(&self, signal: Arc<str>) -> CallCount {
        CallCount { bus: self.clone(), signal, started: Instant::now(), counted: false }
    }

    fn send_call(&self, raw: RawCall, mode: CallMode) -> Result<(), CallError> {
        let signal = || raw.signal.to_string();
        self.check_size(&raw.body).map_err(|reason| CallError::Invalid { signal: signal(), reason })?;
        let permit = self.0.permits.take().ok_or_else(|| CallError::Overloaded {
            signal: signal(),
            reason: format!("{} messages are under way already (setting in_flight)", self.0.env.limits.in_flight),
        })?;
        let RawCall { signal, sender, id, body, deadline, .. } = raw;
        self.0.port.put(Call { signal, sender, id, body, deadline, mode, permit: Some(permit) });
        Ok(())
    }
}

/// A call before it is handed to the adapter.
#[derive(Debug)]
pub(crate) struct RawCall {
    pub(crate) signal: Arc<str>,
    pub(crate) sender: Arc<str>,
    pub(crate) id: Arc<str>,
    pub(crate) body: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) within: Duration,
}

/// Counts a call once: answered, or failed. One that is dropped before its end has failed.
#[derive(Debug)]
pub(crate) struct CallCount {
    bus: Bus,
    signal: Arc<str>,
    started: Instant,
    counted: bool,
}

impl CallCount {
    pub(crate) fn end(mut self, error: Option<&CallError>) {
        self.counted = true;
        self.told(error);
    }

    fn told(&self, error: Option<&CallError>) {
        let env = &self.bus.0.env;
        let (signal, took) = (|| self.signal.clone(), self.started.elapsed());
        let Some(error) = error else {
            return env.events.emit(EventKind::CallAnswered, || Event::CallAnswered { signal: signal(), took });
        };
        if let CallError::Decode { reason, .. } = error {
            bad(env, &self.signal, "an answer", BadInput::Answer, reason, b"");
        }
        env.events.emit(EventKind::CallFailed, || {
            let error = error.to_string().into();
            Event::CallFailed { signal: signal(), error }
        });
    }
}

impl Drop for CallCount {
    fn drop(&mut self) {
        if !self.counted {
            let (signal, error) = (|| self.signal.clone(), "the caller has dropped it");
            let failed = || Event::CallFailed { signal: signal(), error: error.into() };
            self.bus.0.env.events.emit(EventKind::CallFailed, failed);
        }
    }
}

/// The answers of all agents to one call, as they come, until the deadline. It counts as one call: answered when an answer
/// that fits has come by the time the stream is dropped.
#[derive(Debug)]
pub struct AnswerStream<T> {
    answers: mpsc::Receiver<Result<Answers, CallError>>,
    count: CallCount,
    last: Option<Result<(), CallError>>,
    decoded: std::marker::PhantomData<fn() -> T>,
}

impl<T: serde::de::DeserializeOwned> AnswerStream<T> {
    /// The next answer, or `None` after the deadline.
    ///
    /// # Cancel safety
    /// Cancel safe: no answer is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: serde::de::DeserializeOwned> Stream for AnswerStream<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.answers.poll_recv(context));
        Poll::Ready(next.map(|answers| {
            let answer = answers.and_then(|answers| answer::first(&self.count.signal, &answers));
            if !matches!(self.last, Some(Ok(()))) {
                self.last = Some(answer.as_ref().map(drop).map_err(Clone::clone));
            }
            answer
        }))
    }
}

impl<T> Drop for AnswerStream<T> {
    fn drop(&mut self) {
        if let Some(last) = self.last.take() {
            self.count.counted = true;
            self.count.told(last.as_ref().err());
        }
    }
}

/// Waits for a state of the connection.
pub(crate) async fn until_up(state: &mut watch::Receiver<ConnectionState>, within: Duration) -> Result<(), String> {
    let wait = async {
        loop {
            match &*state.borrow_and_update() {
                ConnectionState::Up => return Ok(()),
                ConnectionState::Down { reason, lasting: true } => return Err(reason.clone()),
                ConnectionState::Closed => return Err("closed".to_owned()),
                _ => {}
            }
            if state.changed().await.is_err() {
                return Err("the adapter has ended".to_owned());
            }
        }
    };
    let ended: Pin<Box<dyn Future<Output = Result<(), String>>>> = Box::pin(wait);
    match tokio::time::timeout(within, ended).await {
        Ok(outcome) => outcome,
        Err(_) => Err(match &*state.borrow() {
            ConnectionState::Down { reason, .. } => reason.clone(),
            _ => format!("no connection within {} s", within.as_secs_f32()),
        }),
    }
}
