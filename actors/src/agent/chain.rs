//! The running of a handler, with everything that stands around it.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use super::filter::Filter;
use super::info::{Counted, Tally};
use super::instance::{Core, guarded_now, panic_message};
use super::invocation::Invocation;
use super::plan::HandlerPlan;
use super::shared::Shared;
use crate::error::HandlerError;
use crate::events::{Event, EventKind, HandlerKind};
use crate::layers::{Ending, Layer, LayerResult, Layers, Meter, Next, Pace, Rest, Running, span};
use crate::stall::Watched;

/// What stands around every run of one handler.
pub(crate) struct Chain {
    handler: Arc<str>,
    kind: HandlerKind,
    pace: Option<Pace>,
    layers: Box<[Arc<dyn Layer>]>,
    meter: Meter,
    tally: Arc<Tally>,
    watched: Watched,
    traced: bool,
}

/// How a run ended.
pub(crate) enum Ran {
    Ok,
    Failed(HandlerError),
    Panicked(String),
}

/// A run within the outermost layers, trace and metrics: it may still wait for its rate and its turn.
pub(crate) struct Entered<'a> {
    span: Span,
    _running: Running<'a>,
    counted: Counted<'a>,
    since: Option<Instant>,
    timeout: Option<Duration>,
}

impl Chain {
    /// `agents` are the layers of the whole agent, `own` those of the handler.
    pub(crate) fn new(
        plan: &HandlerPlan,
        agents: &Layers,
        rate: Option<NonZeroU32>,
        own: &Layers,
        core: &Core,
    ) -> Self {
        let shared = &core.shared;
        let layers = shared.env.layers.0.iter().chain(&agents.0).chain(&own.0);
        Self {
            handler: plan.name.clone(),
            kind: plan.kind,
            pace: rate.map(Pace::new),
            layers: layers.cloned().collect(),
            meter: Meter::new(shared.env.metered, &shared.agent, &plan.name, plan.kind),
            tally: shared.tallies.of(&plan.name, plan.kind),
            watched: core.beat.watched(&shared.agent, &plan.name),
            traced: shared.env.traced,
        }
    }

    /// Begins a run; the timeout counts from when it has its turn.
    pub(crate) fn enter(&self, run: &Invocation, timeout: Option<Duration>) -> Entered<'_> {
        let span = if self.traced { span(run) } else { Span::none() };
        let since = self.meter.is_on().then(Instant::now);
        Entered { span, _running: self.meter.begin(), counted: self.tally.begin(), since, timeout }
    }

    /// Asks a filter about a payload, seen by the stall watch; `None` when it is refused. A panic counts as a run's.
    pub(crate) fn sift<P: 'static>(&self, filter: &Filter, payload: P) -> Result<Option<P>, String> {
        // What is refused is dropped in here, too: it is the user's.
        let sifted = {
            let _poll = self.watched.enter();
            guarded_now(|| Some(payload).filter(|payload| filter.takes(payload)))
        };
        match &sifted {
            Ok(Some(_)) => {}
            Ok(None) => self.tally.filtered(),
            Err(_) => {
                let _running = self.meter.begin();
                self.meter.end(Ending::Panicked, Duration::ZERO);
                self.tally.begin().end(Ending::Panicked);
            }
        }
        sifted
    }

    /// Waits until the rate of the handler lets another run begin.
    pub(crate) async fn wait_for_rate(&self) {
        if let Some(pace) = &self.pace {
            pace.begin().await;
        }
    }

    /// Runs a handler that has its turn. Its timeout begins now; `waits` is called when it waits for something the first
    /// time.
    pub(crate) async fn run<F>(
        &self,
        core: &Core,
        entered: Entered<'_>,
        run: &Invocation,
        waits: &dyn Fn(),
        handler: F,
    ) -> Ran
    where
        F: Future<Output = LayerResult>,
    {
        let mut handler = pin!(Some(handler));
        let Some(pinned) = handler.as_mut().as_pin_mut() else { return Ran::Ok };
        let ran = self.run_pinned(core, entered, run, waits, pinned).await;
        // A future of the user's may panic when it is dropped, too.
        self.after(core, guarded_now(|| handler.set(None)), ran)
    }

    async fn run_pinned(
        &self,
        core: &Core,
        mut entered: Entered<'_>,
        run: &Invocation,
        waits: &dyn Fn(),
        handler: Pin<&mut (dyn Future<Output = LayerResult> + '_)>,
    ) -> Ran {
        let started = Instant::now();
        let deadline = entered.timeout.and_then(|timeout| started.checked_add(timeout));
        let _in_scope = run.scope.begin(deadline);
        if let Some(since) = entered.since {
            self.meter.waited(started.duration_since(since));
        }
        let span = &entered.span;
        let counted = &mut entered.counted;
        let mut rest = pin!(Some(Next::new(&self.layers, run, handler).rest()));
        let mut timed_out = false;
        let ran = {
            let Some(rest) = rest.as_mut().as_pin_mut() else { return Ran::Ok };
            let mut guarded = Guarded { rest, span, watched: &self.watched, waits: Some(waits) };
            match by(deadline, &mut guarded).await {
                Some(Ok(Ok(()))) => Ran::Ok,
                Some(Ok(Err(error))) => Ran::Failed(error),
                Some(Err(message)) => Ran::Panicked(message),
                None => {
                    timed_out = true;
                    let timeout = entered.timeout.unwrap_or_default();
                    Ran::Failed(HandlerError::of_kind("timeout", format!("no end within {timeout:?}")))
                }
            }
        };
        let ran = self.after(core, guarded_now(|| rest.set(None)), ran);
        // The clock is asked only if somebody wants to know.
        let is_asked = self.meter.is_on() || core.shared.env.events.is_heard();
        let took = if is_asked { started.elapsed() } else { Duration::ZERO };
        let ending = match &ran {
            Ran::Ok => Ending::Ok,
            Ran::Failed(_) if timed_out => Ending::TimedOut,
            Ran::Failed(_) => Ending::Failed,
            Ran::Panicked(_) => Ending::Panicked,
        };
        self.meter.end(ending, took);
        // Before it is told: who hears of it finds it in `info()`.
        counted.end(ending);
        self.tell(&core.shared, span, took, &ran);
        if let Ran::Panicked(message) = &ran {
            core.crash.tell(&self.handler, message);
        }
        ran
    }

    fn after(&self, core: &Core, dropped: Result<(), String>, ran: Ran) -> Ran {
        match dropped {
            Ok(()) => ran,
            Err(message) => {
                core.crash.tell(&self.handler, &message);
                Ran::Panicked(message)
            }
        }
    }

    fn tell(&self, shared: &Shared, span: &Span, took: Duration, ran: &Ran) {
        match ran {
            Ran::Ok => {}
            Ran::Failed(error) => {
                span.record("error", tracing::field::display(error));
            }
            Ran::Panicked(message) => {
                span.record("error", tracing::field::display(message));
            }
        }
        // A server's end is its own matter: nobody waits for one.
        if self.kind == HandlerKind::Server {
            return;
        }
        let events = &shared.env.events;
        let kind = self.kind;
        let (agent, handler) = (|| shared.agent.clone(), || self.handler.clone());
        match ran {
            Ran::Ok => {
                events.emit(EventKind::Handled, || Event::Handled { agent: agent(), handler: handler(), kind, took });
            }
            Ran::Failed(error) => {
                let name = &self.handler;
                if let Some(times) = events.line_due("handler failed", &format!("{}.{name}", shared.agent)) {
                    let agent = &shared.agent;
                    tracing::warn!(%agent, handler = %name, times, kind = error.kind(), "a handler failed: {error}");
                }
                let error = error.to_string().into();
                events.emit(EventKind::Failed, || Event::Failed {
                    agent: agent(),
                    handler: handler(),
                    kind,
                    took,
                    error,
                });
            }
            // A crash is told by whoever ends the instance.
            Ran::Panicked(_) => {}
        }
    }
}

/// The outcome of a future, or `None` at the deadline. A future that ends at once costs no timer.
async fn by<T>(deadline: Option<Instant>, mut future: impl Future<Output = T> + Unpin) -> Option<T> {
    let at_once = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context)));
    match (at_once.await, deadline) {
        (Poll::Ready(outcome), _) => Some(outcome),
        (Poll::Pending, None) => Some(future.await),
        (Poll::Pending, Some(deadline)) => tokio::time::timeout_at(deadline, future).await.ok(),
    }
}

/// Polls what is the user's: in its span, seen by the stall watch, and with a panic turned into its message.
struct Guarded<'a, 'b> {
    rest: Pin<&'a mut Rest<'b>>,
    span: &'a Span,
    watched: &'a Watched,
    waits: Option<&'a dyn Fn()>,
}

impl Future for Guarded<'_, '_> {
    type Output = Result<LayerResult, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let polled = {
            let _in_span = this.span.enter();
            let _poll = this.watched.enter();
            catch_unwind(AssertUnwindSafe(|| this.rest.as_mut().poll(context)))
        };
        match polled {
            Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
            Err(panic) => Poll::Ready(Err(panic_message(&*panic))),
            Ok(Poll::Pending) => {
                if let Some(waits) = this.waits.take() {
                    waits();
                }
                Poll::Pending
            }
        }
    }
}
