//! What can go wrong with a connection and with a command on it.

use super::Endpoint;
use crate::connection::Reason;
use crate::error::{Error, SendError};
use fred::error::{Error as FredError, ErrorKind};
use std::time::Duration;

/// Why a connection could not be made. The text never holds the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers at the address, or the connection broke while it was set up.
    #[error(
        "cannot reach the server: {0}; is Redis running there? check host and port of the URL, and its scheme: `rediss://` is for TLS"
    )]
    Unreachable(String),
    /// The server did not finish the handshake within [`Settings::connect_timeout`](super::Settings).
    #[error(
        "the server did not answer within {0:?}; is it Redis that listens there? check host and port of the URL, and its scheme: `rediss://` is for TLS"
    )]
    TimedOut(Duration),
    /// The TLS handshake failed, or what is set for it cannot be used.
    #[cfg(feature = "tls")]
    #[error("no TLS: {0}")]
    Tls(String),
    /// The server wants other credentials.
    #[error("the server refuses the user or password: {0}; check the URL's user:password@")]
    Credentials(String),
    /// The server's version is below 7.
    #[error("Redis {0} is too old: 7 or newer is needed")]
    TooOld(String),
    /// The server answered the handshake or a subscription with an error.
    #[error("the server refuses the connection: {0}")]
    Refused(String),
}

impl ConnectError {
    // Servers repeat arguments of commands that they do not know.
    pub(super) fn scrubbed(self, endpoint: &Endpoint) -> Self {
        match self {
            Self::Credentials(text) => Self::Credentials(endpoint.scrub(&text)),
            Self::Refused(text) => Self::Refused(endpoint.scrub(&text)),
            other => other,
        }
    }
}

impl Reason for ConnectError {
    /// Credentials, certificates or version have to be changed.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Credentials(_) | Self::TooOld(_) => true,
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
            _ => false,
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
    /// The server answered with an error: it did not run the command (a script may have run in part).
    #[error("the server refuses the command: {message}")]
    Refused {
        /// The first word of the error: `OOM`, `WRONGTYPE`, `NOSCRIPT`, `READONLY`, `ERR` ...
        code: String,
        /// The whole error as the server wrote it.
        message: String,
    },
}

impl CommandError {
    pub(super) fn refused(message: &str) -> Self {
        let code = message.split_whitespace().next().unwrap_or("ERR").to_owned();
        Self::Refused { code, message: message.to_owned() }
    }

    /// True if the server answered with an error that begins with this word.
    pub fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}

impl From<CommandError> for SendError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotSent(reason) => Self::NotSent { reason },
            CommandError::Unknown(reason) => Self::Unknown { reason },
            // It did not run it: out of memory, no permission, a key of another type.
            CommandError::Refused { message, .. } => {
                Self::NotSent { reason: format!("the server refused it: {message}") }
            }
        }
    }
}

impl CommandError {
    /// The error of whoever tried to do `what`.
    pub fn during(self, what: &str) -> Error {
        match self {
            Self::Refused { message, .. } => Error::Refused { what: what.to_owned(), reason: message },
            other => Error::Send(other.into()),
        }
    }
}

/// What the driver's error says about a command that was given to it.
pub(super) enum Fate {
    /// It was taken out of the queue of a dying connection before it was written.
    Unwritten,
    /// It may have been written.
    Unknown(String),
    /// The server answered.
    Refused(String),
}

// The driver has one error type for its own errors and the server's. The server's begin with a word in capitals;
// none of the driver's does.
pub(super) fn fate(error: &FredError) -> Fate {
    match error.kind() {
        // Only commands drained from the queue of a closed connection end so; those in flight get `IO`.
        ErrorKind::Canceled => Fate::Unwritten,
        ErrorKind::IO => Fate::Unknown(format!("the connection was lost ({})", io_text(error.details()))),
        ErrorKind::Timeout => Fate::Unknown("no answer within the deadline".to_owned()),
        _ if is_server_error(error.details()) => Fate::Refused(error.details().to_owned()),
        _ => Fate::Unknown("the connection was lost".to_owned()),
    }
}

fn is_server_error(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

// The driver keeps an I/O error as its `Debug` text: `Os { code: 111, kind: ConnectionRefused, message: "..." }`.
pub(super) fn io_text(details: &str) -> String {
    // How the codec, the driver and TLS say end of file, in the middle of an answer and between two.
    if details.contains("UnexpectedEof")
        || details.contains("bytes remaining on stream")
        || details.starts_with("Connection closed")
    {
        return "the server closed the connection".to_owned();
    }
    let Some((_, after)) = details.split_once("message: \"").or_else(|| details.split_once("error: \"")) else {
        return details.trim_end_matches('.').to_owned();
    };
    after.split('"').next().unwrap_or(after).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Fate, fate, io_text};
    use fred::error::{Error, ErrorKind};

    #[test]
    fn the_drivers_errors_are_told_from_the_servers() {
        let unknown = |kind, text: &'static str| matches!(fate(&Error::new(kind, text)), Fate::Unknown(_));
        assert!(unknown(ErrorKind::Unknown, "channel closed"));
        assert!(unknown(ErrorKind::Timeout, "Request timed out."));
        assert!(unknown(ErrorKind::IO, "Connection closed."));
        let refused = |kind, text: &'static str| matches!(fate(&Error::new(kind, text)), Fate::Refused(_));
        assert!(refused(ErrorKind::Unknown, "OOM command not allowed when used memory > 'maxmemory'."));
        assert!(refused(ErrorKind::InvalidArgument, "WRONGTYPE Operation against a key"));
        assert!(matches!(fate(&Error::new(ErrorKind::Canceled, "Canceled.")), Fate::Unwritten));
    }

    #[test]
    fn io_errors_read_as_text() {
        let debug = format!("{:?}", std::io::Error::from_raw_os_error(111));
        assert_eq!(io_text(&debug), "Connection refused");
        assert_eq!(io_text("Connection closed."), "the server closed the connection");
    }
}
