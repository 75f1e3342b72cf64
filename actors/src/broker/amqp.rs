//! The broker on RabbitMQ, wire compatible with Python `microagent` 1.9.
//!
//! A queue is a queue of the server; beside it stand `{queue}.dead` for dead letters, and `{queue}.delayed.{ms}`, from where
//! the server moves messages into the queue when their time has come. What has a past carries it in headers
//! (`x-formicary-…`). A message is copied to its next place, confirmed, and only then acknowledged: so at every moment it is
//! in at least one place. The end of a connection brings back what was in hand, at once and uncounted.
//!
//! There are two connections, since the server stops reading those that publish when it is short of memory, and
//! acknowledgements must go on then. Consumers with an outbox share a third, whose channels are transactions.
//!
//! The parts:
//!
//! - `connection`: the adapter's end of the connections, and how they are closed. `gauge`: their states as one.
//! - `names`, `headers`, `properties`, `metadata`: what stands in a message beside its body.
//! - `topology`: what has to be at the server before a message can go there. `limit`: how often it may come back.
//! - `line`: what waits to be published, and the task that publishes it. `send`: a sender's batch in it.
//! - `consume`: how a consumer begins and begins again. `session`: its channel. `deliver`: messages on their way in.
//! - `settle`: what became of messages. `acks`: how it is told with few frames. `copies`: retries and dead letters.
//!   `transaction`: acknowledgements that go together with an outbox.
//! - `inspect`, `dead`: counts and dead letters.

mod acks;
mod adapter;
mod connection;
mod consume;
mod consumer;
mod copies;
mod dead;
mod deliver;
mod gauge;
mod headers;
mod inspect;
mod limit;
mod line;
mod metadata;
mod names;
mod properties;
mod send;
mod session;
mod settle;
mod topology;
mod transaction;

use actix::System;

use super::{Broker, BrokerPort};
use crate::error::Error;
use crate::{AdapterContext, AmqpConfig, Env};

/// Starts an adapter on the current arbiter, and returns at once: the broker says in its state when it is connected.
///
/// # Errors
/// [`Error::NoSystem`] outside of an actix system.
pub fn start(config: &AmqpConfig, env: Env) -> Result<Broker, Error> {
    if System::try_current().is_none() {
        return Err(Error::NoSystem);
    }
    let (context, state) = AdapterContext::new(env.clone());
    let port = BrokerPort::start(adapter::Adapter::new(connection::Link::open(config, context)));
    Ok(Broker::new(port, env, state))
}
