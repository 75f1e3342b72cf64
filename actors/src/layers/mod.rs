//! Layers: what stands around every run of a handler, whatever its kind.
//!
//! From the outside to the inside: **trace** (a span), **metrics**, **rate**, then the turn is taken, **timeout**, and the
//! user's layers: the group's, the agent's and the handler's, each in the order in which they were added. The first four are
//! in the box; trace is on unless the group says otherwise, metrics is off (see [`crate::group::GroupBuilder`]), rate and
//! timeout are options of handlers. Retry and dead letter are no layers: they belong to the settlement, outside of all.

mod metrics;
mod rate;
mod trace;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::agent::Invocation;
use crate::error::HandlerError;

pub(crate) use metrics::{Ending, Meter, Running};
pub(crate) use rate::Pace;
pub(crate) use trace::span;

/// What a handler's run came to, as layers see it: the answer itself passes them by.
pub type LayerResult = Result<(), HandlerError>;

/// The future of [`Layer::around`].
pub type LayerFuture<'a> = Pin<Box<dyn Future<Output = LayerResult> + 'a>>;

/// Something around every run of a handler: of one handler, of all of an agent, or of all of a group.
///
/// A layer may look at the run, wait, run the rest, look at its result, change it, or refuse without having run it. An
/// error that it returns is the handler's. [`layer`] makes one of an async closure, which is the short way:
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use formicary_actors::agent::{Agent, AgentBuilder};
/// use formicary_actors::layers::layer;
///
/// struct Ticker;
///
/// impl Agent for Ticker {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.layer(layer(async |run, next| {
///             let started = Instant::now();
///             let outcome = next.run().await;
///             if started.elapsed() > Duration::from_secs(1) {
///                 println!("{} of {} was slow", run.handler(), run.cx().agent());
///             }
///             outcome
///         }));
///         agent.periodic("tick", Duration::from_secs(15), async |_: &Self, ()| {});
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "not a layer",
    note = "make one with `layer(async |run, next| next.run().await)`, or implement `Layer`"
)]
pub trait Layer: Send + Sync + 'static {
    /// Runs what is inside, or does not.
    fn around<'a>(&'a self, run: &'a Invocation, next: Next<'a>) -> LayerFuture<'a>;
}

/// A layer of an async closure.
pub fn layer<F>(around: F) -> impl Layer
where
    F: AsyncFn(&Invocation, Next<'_>) -> LayerResult + Send + Sync + 'static,
{
    struct Closure<F>(F);

    impl<F> Layer for Closure<F>
    where
        F: AsyncFn(&Invocation, Next<'_>) -> LayerResult + Send + Sync + 'static,
    {
        fn around<'a>(&'a self, run: &'a Invocation, next: Next<'a>) -> LayerFuture<'a> {
            Box::pin(async move { (self.0)(run, next).await })
        }
    }

    Closure(around)
}

/// Layers in their order, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(pub(crate) Vec<Arc<dyn Layer>>);

impl Layers {
    pub(crate) fn add(&mut self, layer: impl Layer) {
        self.0.push(Arc::new(layer));
    }
}

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} layers", self.0.len())
    }
}

/// What is inside of a layer: the next one, or the handler.
pub struct Next<'a> {
    layers: &'a [Arc<dyn Layer>],
    run: &'a Invocation,
    handler: Pin<&'a mut (dyn Future<Output = LayerResult> + 'a)>,
}

/// The future of [`Next::run`].
pub(crate) enum Rest<'a> {
    /// A layer that has not been asked for its future: what it does before it gives one is a part of the run too.
    Outer(Option<Next<'a>>),
    Layer(LayerFuture<'a>),
    Handler(Pin<&'a mut (dyn Future<Output = LayerResult> + 'a)>),
}

impl<'a> Next<'a> {
    pub(crate) fn new(
        layers: &'a [Arc<dyn Layer>],
        run: &'a Invocation,
        handler: Pin<&'a mut (dyn Future<Output = LayerResult> + 'a)>,
    ) -> Self {
        Self { layers, run, handler }
    }

    /// Runs it.
    ///
    /// # Errors
    /// What it failed with.
    pub fn run(self) -> impl Future<Output = LayerResult> + 'a {
        self.rest()
    }

    pub(crate) fn rest(self) -> Rest<'a> {
        if self.layers.is_empty() { Rest::Handler(self.handler) } else { Rest::Outer(Some(self)) }
    }

    fn begin(self) -> Rest<'a> {
        match self.layers.split_first() {
            Some((layer, layers)) => Rest::Layer(layer.around(self.run, Next { layers, ..self })),
            None => Rest::Handler(self.handler),
        }
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("layers", &self.layers.len()).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Future for Rest<'_> {
    type Output = LayerResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<LayerResult> {
        if let Self::Outer(next) = &mut *self
            && let Some(next) = next.take()
        {
            *self = next.begin();
        }
        match &mut *self {
            // It panicked when it was asked, so nobody asks again.
            Self::Outer(_) => Poll::Pending,
            Self::Layer(layer) => layer.as_mut().poll(context),
            Self::Handler(handler) => handler.as_mut().poll(context),
        }
    }
}
