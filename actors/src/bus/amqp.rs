//! The bus on RabbitMQ.

use super::Bus;
use crate::error::Error;
use crate::{AmqpConfig, Env};

/// Starts an adapter on the current arbiter, and returns at once.
///
/// # Errors
/// [`Error::NoSystem`] outside of an actix system.
pub fn start(_: &AmqpConfig, _: Env) -> Result<Bus, Error> {
    Err(Error::Unsupported { adapter: "amqp", what: "do anything yet".to_owned() })
}
