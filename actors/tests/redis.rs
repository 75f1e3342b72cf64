//! The Redis bus and broker against a real server, with faults.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

#[path = "redis/broker.rs"]
mod broker;
#[path = "redis/broker_faults.rs"]
mod broker_faults;
#[path = "redis/bus.rs"]
mod bus;
#[path = "redis/cluster.rs"]
mod cluster;
#[path = "redis/common.rs"]
mod common;
#[path = "redis/dead.rs"]
mod dead;
#[path = "redis/leases.rs"]
mod leases;
#[path = "redis/outbox.rs"]
mod outbox;
#[path = "redis/refusals.rs"]
mod refusals;
