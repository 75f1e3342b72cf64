//! The AMQP bus and broker against a real RabbitMQ, with faults.
#![cfg(feature = "amqp")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

#[path = "amqp/alarms.rs"]
mod alarms;
#[path = "amqp/bus.rs"]
mod bus;
#[path = "amqp/bus_calls.rs"]
mod bus_calls;
#[path = "amqp/bus_common.rs"]
mod bus_common;
#[path = "amqp/bus_faults.rs"]
mod bus_faults;
#[path = "amqp/common.rs"]
mod common;
#[path = "amqp/connections.rs"]
mod connections;
#[path = "amqp/deaf.rs"]
mod deaf;
#[path = "amqp/endings.rs"]
mod endings;
#[path = "amqp/narrow.rs"]
mod narrow;
#[path = "amqp/odd.rs"]
mod odd;
#[path = "amqp/outbox.rs"]
mod outbox;
#[path = "amqp/outcomes.rs"]
mod outcomes;
#[path = "amqp/quorum.rs"]
mod quorum;
#[path = "amqp/restarts.rs"]
mod restarts;
#[path = "amqp/sends.rs"]
mod sends;
#[path = "amqp/topology.rs"]
mod topology;
