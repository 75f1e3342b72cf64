//! Every adapter of this workspace passes the conformance suite.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod bus_memory;
#[cfg(feature = "amqp")]
mod bus_rabbitmq;
#[cfg(feature = "redis")]
mod bus_redis;
mod file;
mod memory;
#[cfg(feature = "amqp")]
mod rabbitmq;
mod recording;
#[cfg(feature = "redis")]
mod redis;
