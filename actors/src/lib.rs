//! Everything of Formicary that is an actix actor: the registry that supervises agents, the shell around each agent,
//! the waiter of calls, timers, and the bus and broker adapters.

#[cfg(feature = "amqp")]
mod amqp;
mod backoff;
mod blocking;
mod clock;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod connection;
mod env;
mod error;
mod ids;
mod load;
mod payload;
mod quiet;
mod retry;
mod stall;

pub mod agent;
pub mod broker;
pub mod bus;
pub mod contract;
pub mod events;
pub mod group;
pub mod layers;
#[cfg(feature = "redis")]
mod redis;
pub mod registry;
mod repeater;
pub mod testing;
pub mod timer;
mod waiter;

#[cfg(feature = "amqp")]
pub use amqp::AmqpConfig;
pub use backoff::Backoff;
pub use blocking::block_on;
pub use clock::Clock;
pub use env::{AdapterContext, Env, Limits};
pub use error::{CallError, Error, HandlerError, SendError};
pub use ids::Ids;
pub use load::Load;
#[cfg(feature = "redis")]
pub use redis::RedisConfig;
pub use repeater::{Cancelled, Repeater, Unprepared};
pub use retry::Retry;
