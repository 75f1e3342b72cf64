//! The suite that every bus and broker adapter must pass.
//!
//! An adapter's author writes one value, which stands for a server, or for what takes its place, and says what the
//! adapter promises beyond its `Capabilities`. One line then makes a test of each case:
//!
//! ```no_run
//! use formicary_actors::broker::MemoryBroker;
//! use formicary_actors::group::BrokerConfig;
//! use formicary_conformance::{BrokerPlace, BrokerPromises, Missing, Place};
//!
//! struct InMemory(MemoryBroker);
//!
//! impl Place for InMemory {
//!     async fn begin() -> Result<Self, Missing> {
//!         Ok(Self(MemoryBroker::new()))
//!     }
//! }
//!
//! impl BrokerPlace for InMemory {
//!     fn promises() -> BrokerPromises {
//!         let mut promises = BrokerPromises::default();
//!         promises.clockless = true;
//!         promises
//!     }
//!
//!     fn broker(&self) -> BrokerConfig {
//!         BrokerConfig::memory(self.0.clone())
//!     }
//! }
//!
//! formicary_conformance::broker!(InMemory);
//! ```
//!
//! Each case is a `#[test]` of its own in a module of its group: `routing::…`, `settlement::…`. A case that needs what the
//! adapter does not promise, or what its author gave no hook for, is left out and says so in one line on stderr. So does a case whose
//! server this machine lacks, unless `FORMICARY_REQUIRE_SERVERS=1` is set: then it fails.
//!
//! What the cases use is public too: a [`proxy`] with faults, [`wait::until`], and a [`port`] that nobody else takes while
//! its server is down.

#![allow(clippy::unwrap_used, reason = "cases are tests, which fail by panicking")]

mod alone;
pub mod bodies;
pub mod broker;
pub mod bus;
mod case;
mod endurance;
mod left_out;
mod lines;
mod place;
pub mod port;
pub mod proxy;
mod rss;
pub mod wait;
pub mod wire;

pub use broker::{BrokerPlace, BrokerPromises};
pub use bus::{BusPlace, BusPromises, Raw};
pub use left_out::Missing;
pub use place::{Place, Trouble};
