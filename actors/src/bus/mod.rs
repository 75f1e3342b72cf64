//! The bus: signals to every live subscriber, and calls with their answers.
//!
//! [`Bus`] is the handle that agents and scripts use; behind it stands an adapter, an actor that handles the messages
//! of [`crate::contract`].

#[cfg(feature = "amqp")]
pub mod amqp;
mod handle;
mod memory;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod names;
mod port;
mod receive;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod subscriptions;

pub use handle::{AnswerStream, Bus};
pub use memory::MemoryBus;
pub use port::BusPort;

pub(crate) use handle::{RawCall, until_up};
pub(crate) use receive::bad;
#[cfg(feature = "amqp")]
pub(crate) use receive::fits;
#[cfg(feature = "redis")]
pub(crate) use receive::{Incoming, read_with};
#[cfg(any(feature = "amqp", feature = "redis"))]
pub(crate) use {
    names::Names,
    subscriptions::{Subscriptions, lagged},
};
