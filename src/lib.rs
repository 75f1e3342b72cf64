//! Microservices as agents.
//!
//! An agent is a supervised actix actor that talks to others only through **signals** on a bus and **messages** in
//! queues. This crate is the face of Formicary: what agents' authors use. See the README for a first agent.
//!
//! ```
//! use formicary::prelude::*;
//!
//! formicary::declare!("signals.json");
//!
//! #[derive(Default)]
//! struct Greeter {
//!     greeted: u64,
//! }
//!
//! #[agent]
//! impl Greeter {
//!     #[receiver]
//!     async fn greet(&mut self, user: signals::UserCreated, mailer: Push<queues::Mailer>) -> Result {
//!         self.greeted += 1;
//!         let text = format!("Welcome user {}", user.user_id);
//!         mailer.send(&queues::Mailer { text, email: "user@example.org".into() }).await?;
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! # actix::System::new().block_on(async {
//! let group = Group::builder().declarations(declarations()).agent(Greeter::default).start().await?;
//! group.bus().publish("example", &signals::UserCreated { user_id: 1 }).await?;
//! group.stop().await;
//! # Ok(()) })
//! # }
//! ```

mod background;
mod load;
#[cfg(feature = "remote-declarations")]
mod remote;
mod run;

pub use background::Background;
pub use load::{load, load_all};
#[cfg(feature = "remote-declarations")]
pub use remote::Remote;
pub use run::{run, run_until_signal};

#[cfg(feature = "amqp")]
pub use formicary_actors::AmqpConfig;
#[cfg(feature = "redis")]
pub use formicary_actors::RedisConfig;
pub use formicary_actors::agent::{
    Agent, AgentBuilder, AgentInfo, Answering, AnySignal, BatchInfo, BatchOptions, Call, ConsumerInfo, ConsumerOptions,
    CronInfo, CronOptions, Cx, Delivery, Exhausted, Extract, Gone, Handle, HandlerCounts, HandlerInfo, HookInfo,
    HookOptions, IntoAnswer, Invocation, Item, Metadata, Needs, Outbox, OutputInfo, Overlap, PeriodicInfo,
    PeriodicOptions, Publish, Push, ReceiverInfo, ReceiverOptions, Receivers, Recorder, RetryContext, SentBy,
    ServerOptions, Settings, StartFlags, Task, TaskOutcome, Tasks, Turn,
};
pub use formicary_actors::broker::{Broker, BrokerPort, Intake, MemoryBroker};
pub use formicary_actors::bus::{Bus, BusPort, MemoryBus};
pub use formicary_actors::contract;
pub use formicary_actors::events::{self, Event, EventKind, Events};
pub use formicary_actors::group::{
    AgentOptions, BrokerConfig, BusConfig, Exit, Group, GroupBuilder, GroupInfo, GroupSettings, INFO_VERSION, Stopped,
};
pub use formicary_actors::layers::{self, Layer, Next, layer};
pub use formicary_actors::registry::{AgentId, AgentState, AgentStatus, CrashInfo, RestartKind, RestartPolicy};
pub use formicary_actors::testing;
pub use formicary_actors::{
    AdapterContext, Backoff, CallError, Cancelled, Clock, Env, Error, HandlerError, Ids, Limits, Load, Repeater, Retry,
    SendError, Unprepared, block_on,
};
#[cfg(feature = "conformance")]
pub use formicary_conformance as conformance;
pub use formicary_macros::{Queue, Signal, agent, consumer, cron, declare, on, periodic, receiver, server};
pub use formicary_protocol as protocol;
pub use formicary_protocol::{CheckMode, Declarations, Number, Prefix, Queue, Signal, Value};

/// The result of a handler: any error becomes a [`HandlerError`].
pub type Result<T = (), E = HandlerError> = std::result::Result<T, E>;

/// What an agent's file needs: `use formicary::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Agent, AgentBuilder, AnySignal, Call, Cx, Delivery, Exhausted, Group, Handle, Item, Metadata, Number, Outbox,
        Publish, Push, Queue, Receivers, Repeater, Result, Retry, RetryContext, SentBy, Settings, Signal, Tasks, Value,
        agent, consumer, cron, on, periodic, receiver, server,
    };
}

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code of the page about handlers compiles.
#[cfg(doctest)]
#[doc = include_str!("../docs/handlers.md")]
struct Handlers;

/// The code of the page about tests runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct Testing;

/// The code of the page about TLS compiles.
#[cfg(all(doctest, feature = "amqp", feature = "redis", feature = "tls"))]
#[doc = include_str!("../docs/tls.md")]
struct Tls;
