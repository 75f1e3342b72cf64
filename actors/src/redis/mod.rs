//! The connection to a Redis server, on which the Redis bus and the Redis broker stand.
//!
//! The life cycle is ours, not the driver's: one driver client for each connection attempt, which is dropped and
//! replaced when it fails. So a command that was given up can never go out of an old buffer later, and the bus knows
//! that *connected* means *subscribed*.
//!
//! - [`Endpoint`]: where the server is; its password is never shown.
//! - [`Connection`]: one TCP connection that is kept up for ever; commands wait for it within their own deadline.
//! - [`Line`]: publishes and pushes, which go out together.
//! - [`CommandError`]: did the command go out (`NotSent`, `Unknown`), or did the server refuse it (`Refused`)?
//! - [`Script`]: Lua, by its hash, loaded when the server does not know it.
//!
//! Everything here lives on one thread (an actix arbiter): handles are cheap to clone and not `Send`.

mod blocking;
mod command;
mod config;
mod connection;
mod endpoint;
mod error;
mod gate;
mod life;
mod line;
mod link;
mod nodes;
mod reply;
mod script;
mod settings;
mod subscription;
#[cfg(test)]
mod tests;

pub use blocking::Waited;
pub use config::RedisConfig;
pub use connection::Connection;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{CommandError, ConnectError};
pub use line::{Command, Job, Line};
pub use nodes::{MOST_REDIRECTIONS, Nodes};
pub use reply::Reply;
pub use script::Script;
pub use settings::Settings;
pub use subscription::{Incoming, Receiver};

/// The state of a connection to Redis.
pub type State = crate::connection::State<ConnectError>;
