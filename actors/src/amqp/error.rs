//! What can go wrong with a connection and with a command on it.

use super::Endpoint;
use crate::connection::Reason;
use crate::error::{Error, SendError};
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use std::time::Duration;

/// Why a connection could not be made, or was lost. The text never holds the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers at the address, or the connection broke.
    #[error(
        "cannot reach the server: {0}; is RabbitMQ running there? check host and port of the URL, and its scheme: `amqps://` is for TLS"
    )]
    Unreachable(String),
    /// The server did not finish the handshake within [`Settings::connect_timeout`](super::Settings).
    #[error(
        "the server did not answer within {0:?}; is it RabbitMQ that listens there? check host and port of the URL, and its scheme: `amqps://` is for TLS"
    )]
    TimedOut(Duration),
    /// The TLS handshake failed, or what is set for it cannot be used.
    #[cfg(feature = "tls")]
    #[error("no TLS: {0}")]
    Tls(String),
    /// It was up, and something on it ended that has to be there.
    #[error("the connection was given up: {0}")]
    Lost(String),
    /// The server wants other credentials.
    #[error(
        "the server refuses the user or password: {0}; check the URL's user:password@ (`guest` may log in from the server's own host only)"
    )]
    Credentials(String),
    /// The server has no such virtual host, or the user may not use it.
    #[error("the server refuses the virtual host: {0}; check the URL's /vhost and the permissions of the user")]
    Vhost(String),
    /// The server answered the set-up of the connection with an error.
    #[error("the server refuses the connection: {0}")]
    Refused(String),
}

impl ConnectError {
    pub(super) fn scrubbed(self, endpoint: &Endpoint) -> Self {
        match self {
            Self::Credentials(text) => Self::Credentials(endpoint.scrub(&text)),
            Self::Vhost(text) => Self::Vhost(endpoint.scrub(&text)),
            Self::Refused(text) => Self::Refused(endpoint.scrub(&text)),
            other => other,
        }
    }
}

impl Reason for ConnectError {
    /// Credentials, certificates or the virtual host have to be changed.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Credentials(_) | Self::Vhost(_) => true,
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
            _ => false,
        }
    }
}

impl From<&lapin::Error> for ConnectError {
    fn from(error: &lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(said) => {
                let text = said.get_message().to_string();
                match said.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Credentials(text),
                    // Of connections: others end theirs, and nobody has to change anything.
                    AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if text.contains("limit (") => Self::Refused(text),
                    AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Self::Vhost(text),
                    _ => Self::Refused(text),
                }
            }
            ErrorKind::MissingHeartbeatError => Self::Unreachable("no heartbeat came".to_owned()),
            _ => Self::Unreachable(text(error)),
        }
    }
}

impl From<CommandError> for ConnectError {
    /// What a command of the connection's set-up failed on.
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotSent(reason) | CommandError::Unknown(reason) => Self::Unreachable(reason),
            CommandError::Refused { message, .. } => Self::Refused(message),
        }
    }
}

/// Why a command has no result, and whether the server may have run it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Never handed to a connection, and never will be: safe to repeat.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Handed to a connection that died or did not answer in time: the server may or may not have run it.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The server answered with an error, and closed the channel or the connection with it.
    #[error("the server refuses the command: {message}")]
    Refused {
        /// The reply code: 403 access refused, 404 not found, 405 locked, 406 precondition failed, 530 not allowed …
        code: u16,
        /// What the server wrote, such as `PRECONDITION_FAILED - inequivalent arg 'durable' …`.
        message: String,
    },
}

impl CommandError {
    /// True if the server answered with this reply code.
    pub fn has_code(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }

    /// The error of whoever tried to do `what`.
    pub fn during(self, what: &str) -> Error {
        match self {
            Self::Refused { message, .. } => Error::Refused { what: what.to_owned(), reason: message },
            other => Error::Send(other.into()),
        }
    }
}

impl From<lapin::Error> for CommandError {
    /// What the driver says about a command that was given to it.
    fn from(error: lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(said) => {
                Self::Refused { code: said.get_id(), message: said.get_message().to_string() }
            }
            // The driver looks at the state before it does anything.
            ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::InvalidChannel(_) => Self::NotSent("the connection was lost".to_owned()),
            ErrorKind::ChannelsLimitReached => {
                Self::NotSent("the connection has as many channels as the server allows".to_owned())
            }
            _ => Self::Unknown(format!("the connection was lost ({})", text(&error))),
        }
    }
}

impl From<CommandError> for SendError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotSent(reason) => Self::NotSent { reason },
            CommandError::Unknown(reason) => Self::Unknown { reason },
            CommandError::Refused { message, .. } => {
                Self::NotSent { reason: format!("the server refused it: {message}") }
            }
        }
    }
}

fn text(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::IOError(source) | ErrorKind::RuntimeShutdownError(source) => match source.kind() {
            std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::UnexpectedEof => {
                "the server closed the connection".to_owned()
            }
            _ => source.to_string(),
        },
        _ => error.to_string(),
    }
}
