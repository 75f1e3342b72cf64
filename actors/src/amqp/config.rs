//! How to reach a server, as users write it.

use super::{Endpoint, EndpointError, Settings};
use crate::error::Error;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::{
    fmt,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
    str::FromStr,
    time::Duration,
};

/// How a bus or a broker reaches its RabbitMQ (3.10 or later). Parsed from
/// `amqp://[user:password@]host[:port][/vhost]`, or with the feature `tls` `amqps://…`.
///
/// The port is 5672 (5671 with TLS), user and password `guest`, and the virtual host `/` unless given. All three may be
/// percent-encoded. `Debug` and the errors of parsing never show the password.
///
/// ```
/// use std::time::Duration;
///
/// let config: formicary_actors::AmqpConfig = "amqp://ada:secret@localhost/shop".parse()?;
/// let config = config.heartbeat(Duration::from_secs(1));
/// assert_eq!(format!("{config:?}"), "AmqpConfig(amqp://ada:***@localhost:5672/shop)");
/// # Ok::<(), formicary_actors::Error>(())
/// ```
#[derive(Clone)]
pub struct AmqpConfig {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: Settings,
    pub(crate) queues: QueueKind,
    pub(crate) backlog: Backlog,
}

/// What the server keeps for a bus that does not take it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backlog {
    pub(crate) messages: NonZeroU32,
    pub(crate) bytes: NonZeroU64,
    /// How many wait in this process before no more is read.
    pub(crate) prefetch: NonZeroU16,
}

impl Default for Backlog {
    fn default() -> Self {
        const MESSAGES: NonZeroU32 = NonZeroU32::new(16_384).unwrap();
        const BYTES: NonZeroU64 = NonZeroU64::new(64 << 20).unwrap();
        const PREFETCH: NonZeroU16 = NonZeroU16::new(512).unwrap();
        Self { messages: MESSAGES, bytes: BYTES, prefetch: PREFETCH }
    }
}

/// What kind of queues a broker declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum QueueKind {
    /// Durable classic queues, persistent messages.
    #[default]
    Durable,
    /// Durable quorum queues, persistent messages.
    Quorum,
    /// As Python `microagent` declares them: neither queues nor messages survive a restart of the server.
    Microagent,
}

impl AmqpConfig {
    /// For a broker: declares quorum queues, which a cluster of servers replicates, instead of classic ones. Both are
    /// durable. All processes that use a queue have to agree.
    #[must_use]
    pub fn quorum(mut self) -> Self {
        self.queues = QueueKind::Quorum;
        self
    }

    /// For a broker: joins a cluster of Python `microagent` 1.9, which declares queues and exchanges that are not durable
    /// and sends messages that are not persistent. **What waits in them is lost when the server restarts.**
    #[must_use]
    pub fn microagent(mut self) -> Self {
        self.queues = QueueKind::Microagent;
        self
    }

    /// An idle connection is asked for a sign of life after this time; one that is half open is found within twice of
    /// it. Default 5 s, at least 10 ms. A large message may take longer to arrive: each piece of it is a sign of life.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.settings.heartbeat = heartbeat.max(Duration::from_millis(10));
        self
    }

    /// With `amqps://`: trusts the authorities in this file (PEM) and no others. By default those that the machine trusts.
    ///
    /// The file is read for every connection; when it cannot be, the start fails and says why.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.trust(file.into());
        self
    }

    /// With `amqps://`: shows this certificate to a server that asks for one. Two files (PEM): the certificate, with those
    /// between it and its authority behind it, and its key, which must have no password.
    ///
    /// The files are read for every connection, so that renewed ones need no restart; when they cannot be, the start fails
    /// and says why.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings.tls.show(certificate.into(), key.into());
        self
    }

    /// For a bus: how many messages, and how many bytes of them, the server keeps in each of the bus's two queues (signals,
    /// answers) while the bus does not take them, which it does at once unless its thread stands still. Beyond that the
    /// server drops the oldest; that it did so is counted as dropped, once a second at most. What is on its way, in the
    /// sockets and up to 200 messages before them, is not in it. Default 16,384 and 64 MiB.
    #[must_use]
    pub fn backlog(mut self, messages: NonZeroU32, bytes: NonZeroU64) -> Self {
        (self.backlog.messages, self.backlog.bytes) = (messages, bytes);
        self
    }

    /// For a bus: how many signals and answers wait in this process until they are put into inboxes, which is done at once
    /// unless its thread stands still. Beyond that nothing is read from the connection, and the rest waits at the server,
    /// which keeps no book of what it has handed over. Default 512.
    #[must_use]
    pub fn prefetch(mut self, messages: NonZeroU16) -> Self {
        self.backlog.prefetch = messages;
        self
    }

    /// How long one attempt to connect, log in and set up channels may take. Default 5 s.
    #[must_use]
    pub fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.settings.connect_timeout = deadline;
        self
    }

    /// The wait before another attempt to connect is random between 0 and `first`; that bound doubles from attempt to
    /// attempt, up to `most`. Default 50 ms and 1 s.
    #[must_use]
    pub fn backoff(mut self, first: Duration, most: Duration) -> Self {
        self.settings.backoff_first = first;
        self.settings.backoff_most = most;
        self
    }
}

impl FromStr for AmqpConfig {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        let endpoint = url.parse().map_err(|error: EndpointError| Error::Settings(error.to_string()))?;
        Ok(Self { endpoint, settings: Settings::default(), queues: QueueKind::default(), backlog: Backlog::default() })
    }
}

impl fmt::Debug for AmqpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AmqpConfig({})", self.endpoint)
    }
}
