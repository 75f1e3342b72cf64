//! The bus on Redis pub/sub, wire compatible with Python `microagent` 1.9.
//!
//! One connection carries everything: publishes, one pattern for each signal that somebody here subscribes to, and the
//! two patterns on which answers come. What arrives is put into inboxes at once; nothing here waits for an agent.
//!
//! - `connection`: the adapter's end of the connection, and what happens when it is lost.
//! - `publish`: signals, calls and answers on their way out.
//! - `consume`: subscriptions, and what arrives on them.

mod adapter;
mod connection;
mod consume;
mod publish;
#[cfg(test)]
mod tests;

use actix::System;

use super::{Bus, BusPort};
use crate::error::Error;
use crate::waiter::Waiter;
use crate::{AdapterContext, Env, RedisConfig};

/// Starts an adapter and its waiter on the current arbiter, and returns at once: the bus says in its state when it is
/// connected.
///
/// # Errors
/// [`Error::NoSystem`] outside of an actix system.
pub fn start(config: &RedisConfig, env: Env) -> Result<Bus, Error> {
    if System::try_current().is_none() {
        return Err(Error::NoSystem);
    }
    let (context, state) = AdapterContext::new(env.clone());
    let waiter = Waiter::begin(env.events.clone());
    let port = BusPort::start(adapter::Adapter::new(connection::Link::open(config, context, waiter)));
    Ok(Bus::new(port, env, state))
}
