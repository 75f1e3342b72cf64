//! A real Redis server for one test.

mod cluster;
mod options;
mod resp;
mod server;

use std::path::PathBuf;

pub use cluster::Cluster;
pub use options::Options;
pub use resp::{Connection, Reply};
pub use server::Server;

/// The `redis-server` to run: `FORMICARY_REDIS_SERVER`, else the first on the `PATH`.
pub(crate) fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FORMICARY_REDIS_SERVER").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|path| path.is_file())
}
