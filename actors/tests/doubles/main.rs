//! The test doubles: they record and fail as they are told, and are held to the adapters in memory by one story.
#![allow(clippy::unwrap_used, reason = "the lint's own exception for tests does not reach their helpers")]

mod broker;
mod bus;
mod collector;
mod common;
mod compared;
mod crashes;
mod harness;
mod outbox;
mod policy;
