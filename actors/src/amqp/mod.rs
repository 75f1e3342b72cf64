//! The connection to a RabbitMQ server, on which the AMQP bus and the AMQP broker stand.
//!
//! The life cycle is ours, not the driver's: one driver connection for each attempt, which is dropped and replaced when it
//! fails. So nothing that was given up can go out later, every owner sets its channels up anew and knows that it did, and
//! *connected* means *set up*.
//!
//! - [`Endpoint`]: where the server is; its password is never shown.
//! - [`Connection`]: one TCP connection that is kept up for ever.
//! - [`Link`]: the connection that is up now, on which channels are opened.
//! - [`CommandError`]: did the command go out (`NotSent`, `Unknown`), or did the server refuse it (`Refused`)?
//!
//! Everything here lives on one thread (an actix arbiter), and the driver has one thread more for each connection.

mod alarm;
mod config;
mod connection;
mod deadline;
mod endpoint;
mod error;
mod gate;
mod life;
mod link;
mod mend;
mod outage;
mod screen;
mod settings;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod unconfirmed;

pub(crate) use alarm::Alarm;
pub use config::AmqpConfig;
pub(crate) use config::{Backlog, QueueKind};
pub use connection::{Connection, Observer, Prepare};
pub(crate) use deadline::done_by;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{CommandError, ConnectError};
pub use link::Link;
pub(crate) use outage::Outage;
pub use settings::Settings;
pub(crate) use unconfirmed::{Fate, Message, Unconfirmed};

/// The state of a connection to RabbitMQ.
pub type State = crate::connection::State<ConnectError>;
