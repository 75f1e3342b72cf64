//! The demo cluster as its users run it: its processes, their flags, signals, outboxes and summaries.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bounds;
mod chaos;
mod common;
mod first;
mod interrupts;
mod killed;
mod memory;
mod policy;
mod processes;
mod rabbitmq;
mod unreachable;
mod usage;
