//! Agents: what a user declares, and the shell that runs it.
//!
//! An agent is any type that implements [`Agent`]; `#[agent]` writes that implementation. The shell around it is an
//! actix actor that outlives the agent's instances: it takes signals and messages, grants turns, runs handlers as tasks
//! under `catch_unwind`, and starts a fresh instance after a crash.

mod access;
mod after_ack;
pub(crate) mod answer;
mod any_signal;
mod batch_handlers;
mod begin;
mod blocking;
mod builder;
mod chain;
mod check;
mod context;
mod decode;
mod delivery;
mod delivery_state;
mod exhausted;
mod extract;
mod filter;
mod flag;
mod handle;
mod handlers;
mod inbox;
mod info;
mod instance;
mod invocation;
mod item;
mod key_lines;
mod keyed;
mod lanes;
mod life;
mod local_tasks;
mod own_calls;
mod patterns;
mod plan;
mod queues;
mod receive;
mod reception;
mod request;
mod seen;
mod settings;
mod settling;
mod shared;
mod shell;
mod stop;
mod supervisor;
mod task_group;
mod tasks;
mod timers;
mod turns;

pub use any_signal::AnySignal;
pub use builder::{
    AgentBuilder, BatchOptions, ConsumerOptions, CronOptions, HookOptions, PeriodicOptions, ReceiverOptions,
    ServerOptions,
};
pub use context::Cx;
pub use delivery::Delivery;
pub use extract::{
    Answering, Call, Exhausted, Extract, Metadata, Needs, Outbox, Publish, Push, Recorder, RetryContext, SentBy,
};
pub use handle::{Gone, Handle};
pub use handlers::IntoAnswer;
pub use info::{
    AgentInfo, BatchInfo, ConsumerInfo, CronInfo, DedupInfo, HandlerCounts, HandlerInfo, HookInfo, OutputInfo,
    PeriodicInfo, ReceiverInfo, RetryInfo,
};
pub(crate) use info::{Facts, Rows, Templates, nonzero, span};
pub use invocation::Invocation;
pub use item::Item;
pub use reception::Receivers;
pub use settings::Settings;
pub use task_group::{Task, TaskOutcome, Tasks};
pub use timers::Overlap;
pub use turns::Turn;

pub(crate) use chain::Ran;
pub(crate) use instance::{Crash, Instance, guarded_now};
pub(crate) use life::Observer;
pub(crate) use shared::Routes;
pub use shell::StartFlags;
pub(crate) use shell::{Factory, Setup, Shell, StopAgent};
pub(crate) use tasks::run_timer;

/// A microservice: state, and handlers for signals, queues and time.
///
/// `#[agent]` on an `impl` block writes this for you; the macro only calls the builder. By hand:
///
/// ```
/// use formicary_actors::agent::{Agent, AgentBuilder};
/// # use formicary_protocol::{Field, Signal};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct UserCreated { user_id: u64 }
/// # impl Signal for UserCreated {
/// #     const NAME: &'static str = "user_created";
/// #     type Answer = serde_json::Value;
/// #     fn fields() -> Vec<Field> { vec![Field::of::<u64>("user_id")] }
/// # }
///
/// #[derive(Default)]
/// struct Counter {
///     users: u64,
/// }
///
/// impl Agent for Counter {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.receiver_mut("count", async |me: &mut Self, _: UserCreated, ()| {
///             me.users += 1;
///         });
///     }
/// }
/// ```
pub trait Agent: Sized + 'static {
    /// Declares the agent's handlers. Called once for each start of an agent, before its first instance is made.
    fn declare(agent: &mut AgentBuilder<Self>);
}
