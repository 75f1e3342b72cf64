//! Every adapter of this workspace passes the conformance suite.

mod memory;
mod recording;
#[cfg(feature = "redis")]
mod redis;
