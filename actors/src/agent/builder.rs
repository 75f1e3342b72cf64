use std::any::{TypeId, type_name};
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Cron, Queue, Signal, check_sender};
use serde::de::DeserializeOwned;

use super::any_signal::AnySignal;
use super::extract::{Extract, QueueUse, SignalUse};
use super::handle::Handle;
use super::handlers::{self, IntoAnswer, answer_kind};
use super::plan::{
    ConsumerPlan, CronPlan, ExhaustedPlan, HandlerPlan, HookPlan, OpenConsumer, OpenReceiver, PeriodicPlan, Plan,
    ReceiverPlan, Serve, ServerPlan, Task,
};
use super::turns::Turn;
use crate::events::HandlerKind;
use crate::layers::Layer;

mod batch;
mod blocking;
mod consumer;
mod options;
mod receiver;

pub use batch::BatchOptions;
pub use consumer::ConsumerOptions;
pub(crate) use consumer::{Batch, Dedup};
pub use options::{CronOptions, HookOptions, PeriodicOptions, ServerOptions};
pub use receiver::ReceiverOptions;

/// Declares the handlers of an agent.
///
/// Each method takes the handler's name and an async closure: the agent by `&` or `&mut` (a read or a write turn), the
/// payload where there is one, and a tuple of extractors. Methods that take `&mut` end in `_mut`. Options are set on what
/// they return.
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::agent::{Agent, AgentBuilder, Cx};
///
/// struct Ticker;
///
/// impl Agent for Ticker {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.name("ticker");
///         agent
///             .periodic("tick", Duration::from_secs(15), async |_: &Self, cx: Cx| {
///                 println!("{} ticks", cx.agent());
///             })
///             .start_after(Duration::from_secs(3));
///     }
/// }
/// ```
pub struct AgentBuilder<A> {
    plan: Plan<A>,
}

impl<A> std::fmt::Debug for AgentBuilder<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentBuilder").field("name", &self.plan.name).finish_non_exhaustive()
    }
}

impl<A: 'static> AgentBuilder<A> {
    pub(crate) fn new() -> Self {
        Self { plan: Plan::default() }
    }

    pub(crate) fn build(mut self) -> Plan<A> {
        self.plan.shrink();
        self.plan
    }

    /// The agent's name: the sender of its signals, and its name in logs and events. Default: the type's name in snake
    /// case.
    pub fn name(&mut self, name: &str) -> &mut Self {
        if let Err(error) = check_sender(name) {
            self.plan.mistakes.push(error.to_string());
        }
        self.plan.name = Some(name.to_owned());
        self
    }

    /// Puts a layer around every handler of the agent, inside of those that were added before.
    pub fn layer(&mut self, layer: impl Layer) -> &mut Self {
        self.plan.layers.add(layer);
        self
    }

    /// A receiver of a signal and of calls of it. What it returns is the answer.
    pub fn receiver<S, X, R, F>(&mut self, name: &str, run: F) -> &mut ReceiverOptions
    where
        S: Signal,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, S, X) -> R + 'static,
    {
        self.one_signal::<S, X, R>(name, Turn::Read, handlers::read_signal(handlers::typed::<S>, run))
    }

    /// A receiver that takes a write turn.
    pub fn receiver_mut<S, X, R, F>(&mut self, name: &str, run: F) -> &mut ReceiverOptions
    where
        S: Signal,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, S, X) -> R + 'static,
    {
        self.one_signal::<S, X, R>(name, Turn::Write, handlers::write_signal(handlers::typed::<S>, run))
    }

    /// A receiver of several signals, which takes their payloads as values. `*` in a name is any run of characters, `?` any one
    /// character: such a pattern stands for every declared signal that it matches when the agent starts, those that are
    /// called too, whose calls the receiver then answers.
    pub fn receiver_of<X, R, F>(&mut self, signals: &[&str], name: &str, run: F) -> &mut ReceiverOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, AnySignal, X) -> R + 'static,
    {
        self.add_receiver::<AnySignal, X, R>(
            name,
            signals,
            None,
            Turn::Read,
            handlers::read_signal(handlers::valued, run),
        )
    }

    /// A receiver of several signals that takes a write turn.
    pub fn receiver_of_mut<X, R, F>(&mut self, signals: &[&str], name: &str, run: F) -> &mut ReceiverOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, AnySignal, X) -> R + 'static,
    {
        self.add_receiver::<AnySignal, X, R>(
            name,
            signals,
            None,
            Turn::Write,
            handlers::write_signal(handlers::valued, run),
        )
    }

    /// A consumer of the queue `Q`. `P` is what a message is decoded into: `Q::Message`, or any other type.
    pub fn consumer<Q, P, X, R, F>(&mut self, name: &str, run: F) -> &mut ConsumerOptions
    where
        Q: Queue,
        P: DeserializeOwned + 'static,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, P, X) -> R + 'static,
    {
        self.add_consumer::<Q, P, X>(name, Turn::Read, handlers::read_message(Q::NAME, run))
    }

    /// A consumer that takes a write turn: one message at a time.
    pub fn consumer_mut<Q, P, X, R, F>(&mut self, name: &str, run: F) -> &mut ConsumerOptions
    where
        Q: Queue,
        P: DeserializeOwned + 'static,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, P, X) -> R + 'static,
    {
        self.add_consumer::<Q, P, X>(name, Turn::Write, handlers::write_message(Q::NAME, run))
    }

    /// Runs when the consumer of the queue `Q` gives a message up: after its last attempt has failed, or when
    /// [`Retry::on`](crate::Retry::on) says that another is of no use, and before it becomes a dead letter. The extractor
    /// [`Exhausted`](super::Exhausted) says why.
    ///
    /// It runs once for each such message, in its turn and with a timeout (60 s). Whatever becomes of it, the message is
    /// given up: its error is logged and counted, its panic is a crash of the agent. When the last attempt ended
    /// with a panic, it runs in the next instance. A message that still waits for it when the agent ends goes back as a
    /// failed attempt, and is given up by the next process that takes it; there a message with attempts left is handled
    /// once more before. It does not run for what cannot be decoded.
    ///
    /// ```
    /// use formicary_actors::agent::{Agent, AgentBuilder, Exhausted};
    /// # use formicary_protocol::{Field, Queue};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Mail { email: String }
    /// # struct Mailer;
    /// # impl Queue for Mailer {
    /// #     const NAME: &'static str = "mailer";
    /// #     type Message = Mail;
    /// #     fn fields() -> Option<Vec<Field>> { None }
    /// # }
    /// # async fn smtp(_: &Mail) -> Result<(), std::io::Error> { Ok(()) }
    ///
    /// struct Post;
    ///
    /// impl Agent for Post {
    ///     fn declare(agent: &mut AgentBuilder<Self>) {
    ///         agent.consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mail: Mail, ()| smtp(&mail).await);
    ///         agent.on_exhausted::<Mailer, _, _, _, _>("give_up", async |_: &Self, mail: Mail, why: Exhausted| {
    ///             println!("{} has no mail after {} attempts: {}", mail.email, why.attempts(), why.error());
    ///         });
    ///     }
    /// }
    /// ```
    pub fn on_exhausted<Q, P, X, R, F>(&mut self, name: &str, run: F) -> &mut HookOptions
    where
        Q: Queue,
        P: DeserializeOwned + 'static,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, P, X) -> R + 'static,
    {
        self.add_exhausted::<Q, X>(name, Turn::Read, handlers::read_exhausted(Q::NAME, run))
    }

    /// The same with a write turn.
    pub fn on_exhausted_mut<Q, P, X, R, F>(&mut self, name: &str, run: F) -> &mut HookOptions
    where
        Q: Queue,
        P: DeserializeOwned + 'static,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, P, X) -> R + 'static,
    {
        self.add_exhausted::<Q, X>(name, Turn::Write, handlers::write_exhausted(Q::NAME, run))
    }

    /// Runs every `period`, the first time at once.
    pub fn periodic<X, R, F>(&mut self, name: &str, period: Duration, run: F) -> &mut PeriodicOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, X) -> R + 'static,
    {
        self.add_periodic::<X>(name, period, Turn::Read, handlers::read_task(run))
    }

    /// Runs every `period` with a write turn.
    pub fn periodic_mut<X, R, F>(&mut self, name: &str, period: Duration, run: F) -> &mut PeriodicOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, X) -> R + 'static,
    {
        self.add_periodic::<X>(name, period, Turn::Write, handlers::write_task(run))
    }

    /// Runs at the times of a cron expression in a time zone, such as `UTC` or `Europe/Berlin`. A wrong expression is
    /// reported when the agent starts.
    pub fn cron<X, R, F>(&mut self, name: &str, expression: &str, zone: &str, run: F) -> &mut CronOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, X) -> R + 'static,
    {
        self.add_cron::<X>(name, expression, zone, Turn::Read, handlers::read_task(run))
    }

    /// Runs at the times of a cron expression with a write turn.
    pub fn cron_mut<X, R, F>(&mut self, name: &str, expression: &str, zone: &str, run: F) -> &mut CronOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, X) -> R + 'static,
    {
        self.add_cron::<X>(name, expression, zone, Turn::Write, handlers::write_task(run))
    }

    /// Runs before anything is received. An error or a panic fails the start.
    pub fn pre_start<X, R, F>(&mut self, name: &str, run: F) -> &mut HookOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, X) -> R + 'static,
    {
        let hook = hook::<A, X>(name, handlers::write_task(run));
        &mut pushed(&mut self.plan.pre_start, hook).options
    }

    /// Runs when everything is received and the timers run. It takes no turn.
    pub fn post_start<X, R, F>(&mut self, name: &str, run: F) -> &mut HookOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(Handle<A>, X) -> R + 'static,
    {
        let hook = server::<A, X, R, F, _>(name, HandlerKind::Hook, run);
        &mut pushed(&mut self.plan.post_start, hook).options
    }

    /// Runs when nothing is received any more, with bus and broker still usable.
    pub fn pre_stop<X, R, F>(&mut self, name: &str, run: F) -> &mut HookOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, X) -> R + 'static,
    {
        let hook = hook::<A, X>(name, handlers::write_task(run));
        &mut pushed(&mut self.plan.pre_stop, hook).options
    }

    /// Runs for ever beside the handlers and takes no turn. An error or a panic is a crash of the agent; `Ok` ends
    /// nothing.
    pub fn server<X, R, F>(&mut self, name: &str, run: F) -> &mut ServerOptions
    where
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(Handle<A>, X) -> R + 'static,
    {
        let server = server::<A, X, R, F, _>(name, HandlerKind::Server, run);
        &mut pushed(&mut self.plan.servers, server).options
    }

    fn one_signal<S: Signal, X: Extract, R: IntoAnswer>(
        &mut self,
        name: &str,
        turn: Turn,
        open: OpenReceiver<A>,
    ) -> &mut ReceiverOptions {
        self.add_receiver::<S, X, R>(name, &[S::NAME], Some(SignalUse::of::<S>()), turn, open)
    }

    fn add_receiver<P: 'static, X: Extract, R: IntoAnswer>(
        &mut self,
        name: &str,
        signals: &[&str],
        held: Option<SignalUse>,
        turn: Turn,
        open: OpenReceiver<A>,
    ) -> &mut ReceiverOptions {
        let plan = ReceiverPlan {
            handler: HandlerPlan::new::<X>(name, HandlerKind::Receiver, turn),
            signals: signals.iter().map(|signal| Arc::from(*signal)).collect(),
            patterns: Vec::new(),
            payload: (TypeId::of::<P>(), type_name::<P>()),
            held,
            answer: answer_kind::<R::Answer>(),
            options: ReceiverOptions::default(),
            open,
        };
        &mut pushed(&mut self.plan.receivers, plan).options
    }

    fn add_exhausted<Q: Queue, X: Extract>(&mut self, name: &str, turn: Turn, task: Task<A>) -> &mut HookOptions {
        let handler = HandlerPlan::new::<X>(name, HandlerKind::Hook, turn);
        let hook = HookPlan { handler, options: HookOptions::default(), task };
        &mut pushed(&mut self.plan.exhausted, ExhaustedPlan { queue: QueueUse::of::<Q>(), hook }).hook.options
    }

    fn add_consumer<Q: Queue, P: 'static, X: Extract>(
        &mut self,
        name: &str,
        turn: Turn,
        open: OpenConsumer<A>,
    ) -> &mut ConsumerOptions {
        let plan = ConsumerPlan {
            handler: HandlerPlan::new::<X>(name, HandlerKind::Consumer, turn),
            queue: QueueUse::of::<Q>(),
            message: (TypeId::of::<P>(), type_name::<P>()),
            options: ConsumerOptions::default(),
            open,
        };
        &mut pushed(&mut self.plan.consumers, plan).options
    }

    fn add_periodic<X: Extract>(
        &mut self,
        name: &str,
        period: Duration,
        turn: Turn,
        task: Task<A>,
    ) -> &mut PeriodicOptions {
        if period < Duration::from_millis(1) {
            self.plan.mistakes.push(format!("`{name}`: the period {period:?} is shorter than 1 ms"));
        }
        let handler = HandlerPlan::new::<X>(name, HandlerKind::Periodic, turn);
        let plan = PeriodicPlan { handler, period, options: PeriodicOptions::default(), task };
        &mut pushed(&mut self.plan.periodic, plan).options
    }

    fn add_cron<X: Extract>(
        &mut self,
        name: &str,
        expression: &str,
        zone: &str,
        turn: Turn,
        task: Task<A>,
    ) -> &mut CronOptions {
        let cron = match Cron::parse_in(expression, zone) {
            Ok(cron) => cron,
            Err(error) => {
                self.plan.mistakes.push(format!("`{name}`: {error}"));
                never()
            }
        };
        let handler = HandlerPlan::new::<X>(name, HandlerKind::Cron, turn);
        &mut pushed(&mut self.plan.cron, CronPlan { handler, cron, options: CronOptions::default(), task }).options
    }
}

/// Stands in for an expression that is wrong, in an agent that therefore never starts.
fn never() -> Cron {
    #[allow(clippy::expect_used, reason = "a constant that the tests of cron hold")]
    Cron::parse_in("@yearly", "UTC").expect("@yearly in UTC is a cron expression")
}

fn hook<A, X: Extract>(name: &str, task: Task<A>) -> HookPlan<A> {
    let handler = HandlerPlan::new::<X>(name, HandlerKind::Hook, Turn::Write);
    HookPlan { handler, options: HookOptions::default(), task }
}

fn server<A, X, R, F, O>(name: &str, kind: HandlerKind, run: F) -> ServerPlan<A, O>
where
    A: 'static,
    X: Extract,
    R: IntoAnswer,
    F: AsyncFn(Handle<A>, X) -> R + 'static,
    O: Default,
{
    let run = std::rc::Rc::new(run);
    let serve: Serve<A> = Box::new(move |me, invocation| {
        let (run, extractors) = (run.clone(), X::extract(invocation));
        Box::pin(async move { (*run)(me, extractors?).await.into_answer().map(drop) })
    });
    ServerPlan { handler: HandlerPlan::new::<X>(name, kind, Turn::None), options: O::default(), serve }
}

/// Pushes and gives back what was pushed.
fn pushed<T>(list: &mut Vec<T>, item: T) -> &mut T {
    list.push(item);
    let last = list.len() - 1;
    &mut list[last]
}
