//! What goes wrong, and what is promised then. Each test holds one promise, which stands above it.
//!
//! Tests of outages, memory and logs run in processes of their own, so that they measure nothing but themselves; what
//! they measured is printed with `--nocapture`.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

mod alone;
mod common;
mod ledger;
mod lines;
mod rss;
mod traffic;

mod answers;
mod arbiters;
mod floods;
mod input;
mod kills;
mod outages;
mod panics;
mod proxies;
mod secrets;
mod settlements;
mod stalls;
mod starts;
mod stops;
