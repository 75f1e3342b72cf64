//! The broker on Redis lists, wire compatible with Python `microagent` 1.9.
//!
//! A queue is a list; beside it stand the keys named in `keys`. Messages are taken by a script into a place of their
//! consumer and leave it by a script, so that at every moment each message is in exactly one place.
//!
//! Limits of this version, which end with the queues release and its leases:
//!
//! - What a killed process held stays in its `mailer:taken:<consumer>` key, and is not given to another.
//! - The messages in flight that a broker counts are those of its own consumers.
//! - A delay set by another process is noticed within 2 s by a consumer that waits; one of its own is on time.
//!
//! The parts:
//!
//! - `connection`: the adapter's end of the connections, and how they are closed.
//! - `publish`: messages on their way out.
//! - `consume`: taking messages, as many as a consumer has credit for.
//! - `settle`: what became of them, kept until the server has it.
//! - `inspect`: counts and dead letters.

mod adapter;
mod connection;
mod consume;
mod consumer;
mod inspect;
mod keys;
mod publish;
mod scripts;
mod settle;
#[cfg(test)]
mod tests;

use actix::System;

use super::{Broker, BrokerPort};
use crate::error::Error;
use crate::{AdapterContext, Env, RedisConfig};

/// Starts an adapter on the current arbiter, and returns at once: the broker says in its state when it is connected.
///
/// # Errors
/// [`Error::NoSystem`] outside of an actix system.
pub fn start(config: &RedisConfig, env: Env) -> Result<Broker, Error> {
    if System::try_current().is_none() {
        return Err(Error::NoSystem);
    }
    let (context, state) = AdapterContext::new(env.clone());
    let port = BrokerPort::start(adapter::Adapter::new(connection::Link::open(config, context)));
    Ok(Broker::new(port, env, state))
}
