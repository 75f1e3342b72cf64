//! What goes wrong, and what is promised then. Each test holds one promise, which stands above it.
//!
//! Tests of outages, memory and logs run in processes of their own, so that they measure nothing but themselves; what
//! they measured is printed with `--nocapture`.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod alone;
mod common;
mod consumer;
mod jobs;
mod ledger;
mod lines;
mod rss;
mod server;
mod traffic;

mod arbiters;
mod backlog;
mod clocks;
mod deaths;
mod handovers;
mod input;
mod kills;
mod mends;
mod outages;
mod panics;
mod pauses;
mod poison;
mod proxies;
mod reads;
mod restarts;
mod secrets;
mod settlements;
mod stalls;
mod starts;
mod stops;
mod takeovers;
