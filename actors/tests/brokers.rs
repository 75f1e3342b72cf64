//! What a broker adapter does, told by its messages alone: each story is told in memory and on a real Redis, and what both
//! say is compared word for word.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

#[path = "brokers/atomic.rs"]
mod atomic;
#[path = "brokers/letters.rs"]
mod letters;
#[path = "brokers/outcomes.rs"]
mod outcomes;
#[path = "brokers/queues.rs"]
mod queues;
#[path = "brokers/side.rs"]
mod side;
