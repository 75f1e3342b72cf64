//! The bus on RabbitMQ: a topic exchange that is named as the prefix.
//!
//! A signal goes to the exchange under the key `{signal}.{sender}`; each adapter has one queue of its own, bound to each signal
//! that somebody here subscribes to. A call is a signal with `reply_to` and `correlation_id`, and its answers come back through
//! the default exchange. One connection carries everything, on a channel for what goes out and one for what comes in. What
//! arrives is put into inboxes at once; nothing here waits for an agent.
//!
//! - `shared`: what the adapter and its tasks share, and what happens when the connection is lost.
//! - `live`: what is set up on each new connection.
//! - `line`: what waits to go out; `writer`, the task that sends it.
//! - `outgoing`: signals, calls and answers on their way out.
//! - `subscribe`: bindings that come and go.
//! - `drain`: takes what arrives; `incoming`: reads it.
//! - `names`: routing keys, and ids of calls that know the way back.

mod adapter;
mod drain;
mod incoming;
mod line;
mod live;
mod names;
mod outgoing;
mod shared;
mod subscribe;
mod writer;

use actix::System;

use super::{Bus, BusPort};
use crate::error::Error;
use crate::waiter::Waiter;
use crate::{AdapterContext, AmqpConfig, Env};

/// Starts an adapter and its waiter on the current arbiter, and returns at once: the bus says in its state when it is
/// connected.
///
/// # Errors
/// [`Error::NoSystem`] outside of an actix system; [`Error::Settings`] when the prefix is longer than a name of AMQP may be.
pub fn start(config: &AmqpConfig, env: Env) -> Result<Bus, Error> {
    if System::try_current().is_none() {
        return Err(Error::NoSystem);
    }
    let exchange =
        names::name("the prefix, which names the exchange,", env.prefix.as_str()).map_err(Error::Settings)?;
    let (context, state) = AdapterContext::new(env.clone());
    let waiter = Waiter::begin(env.events.clone());
    let port = BusPort::start(adapter::Adapter::new(shared::Shared::open(config, exchange, context, waiter)));
    Ok(Bus::new(port, env, state))
}
