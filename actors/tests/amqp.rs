//! The AMQP broker against a real RabbitMQ.
#![cfg(feature = "amqp")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

#[path = "amqp/common.rs"]
mod common;
#[path = "amqp/outcomes.rs"]
mod outcomes;
