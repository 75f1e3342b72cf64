//! What the tests of several crates share.
//!
//! - [`redis::Server`]: a real Redis on a port of its own, that a test may stop, restart, freeze and ask.
//! - [`rabbitmq::Server`]: the same for RabbitMQ; [`rabbitmq::shared`] is a place on one that the tests of a process share.
//! - [`tls::Authority`]: certificates for servers and clients, made in the test.
//! - [`proxy::Proxy`]: a TCP proxy that delays, swallows, resets and refuses.
//! - [`python::Peer`]: a Python `microagent` process from `tests/interop`.
//! - [`process::Child`]: any program, such as an example, with its output and its signals.
//! - [`wall::WallClock`]: the wall clock of such programs, which a test sets back and forth.
//! - [`wait::until`]: the one place where a test waits.
//! - [`cast`]: the signals and the queue that tests of agents play with.
//! - [`on_each`], [`on_both`], [`on_servers`], [`on_redis`]: tests made out of bodies that run in memory, on a Redis and on a RabbitMQ.
//! - [`require_redis`], [`require_rabbitmq`], [`require_python`], [`require_openssl`]: leave a test out, aloud, where its server is missing.
//!
//! Nothing here depends on the runtime of the test: servers and programs are plain processes, the proxy has a thread of its
//! own, and all of them end when their value is dropped. Proxy and waiting are those of the conformance suite.
//! What goes wrong with a server or a program panics with what it printed, since only tests call this.

mod available;
mod bodies;
pub mod cast;
pub mod process;
pub mod python;
pub mod rabbitmq;
pub mod redis;
pub mod tls;
pub mod wall;

use std::path::PathBuf;

pub use formicary_conformance::bodies::bad_bodies;
use formicary_conformance::port;
pub use formicary_conformance::{proxy, wait, wire};

pub use available::{Missing, Need, available, require_openssl, require_python, require_rabbitmq, require_redis};
pub use tls::Tls;

/// The root of the workspace, where `signals.json` and `scripts/` are.
pub fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).unwrap_or(here)
}
