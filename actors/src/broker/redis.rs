//! The broker on Redis lists, wire compatible with Python `microagent` 1.9.
//!
//! A queue is a list; beside it stand the keys named in `keys`. Messages are taken by a script into a place of their
//! consumer and leave it by a script, so that at every moment each message is in exactly one place. A consumer that dies
//! leaves them there, and others reclaim them when its lease has run out.
//!
//! A delay set by another process is noticed within 2 s by a consumer that waits; one of its own is on time.
//!
//! The parts:
//!
//! - `connection`: the adapter's end of the connections, and how they are closed.
//! - `publish`: messages on their way out.
//! - `consume`: how a consumer begins. `intake`, `answers`: its task. `turn`: the one script by which it settles and takes.
//! - `deliver`: messages on their way in.
//! - `settle`: what became of messages, kept until the server has it (`pending`).
//! - `lease`: who lives. `reclaim`: what the dead had. `recover`: what we have and were not told of.
//! - `inspect`, `dead`, `seen`: counts, dead letters, remembered keys.

mod adapter;
mod answers;
mod connection;
mod consume;
mod consumer;
mod dead;
mod deliver;
mod field;
mod held;
mod inspect;
mod intake;
mod keys;
mod lease;
mod pending;
mod publish;
mod reasons;
mod reclaim;
mod recover;
mod scripts;
mod seen;
mod settle;
#[cfg(test)]
mod tests;
mod turn;

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
