//! The broker: messages in queues, at least once.
//!
//! [`Broker`] is the handle that agents and scripts use; behind it stands an adapter, an actor that handles the
//! messages of [`crate::contract`].

#[cfg(feature = "amqp")]
pub mod amqp;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod batch;
mod handle;
mod intake;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod leaving;
mod memory;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod pause;
mod port;
#[cfg(feature = "redis")]
pub mod redis;
pub(crate) mod settled;

pub use handle::Broker;
pub use intake::Intake;
pub use memory::MemoryBroker;
pub use port::BrokerPort;
