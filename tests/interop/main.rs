//! Real Python `microagent` 1.9.0 processes against Rust agents, over one Redis or one RabbitMQ; and what we put on the wire, held
//! against the vectors that were captured from it.
//!
//! The Python side stands beside this file: `peer.py` does what a test tells it, the three others are the demo's agents.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod agents;
#[cfg(feature = "amqp")]
mod amqp;
mod answers;
mod calls;
mod checks;
mod demo;
mod demo_stage;
mod killed;
mod numbers;
mod poison;
mod queue;
mod shared_queue;
mod signal;
mod stage;
mod text;
mod wire;

formicary::declare!("tests/interop/signals.json");
