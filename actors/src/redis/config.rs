//! How to reach a server, as users write it.

use super::{Endpoint, EndpointError, Settings};
use crate::error::Error;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::{fmt, num::NonZeroUsize, str::FromStr, time::Duration};

/// How a bus or a broker reaches its Redis. Parsed from `redis://[user:password@]host[:port][/db]`, or with the feature
/// `tls` `rediss://…`.
///
/// The port is 6379 and the database 0 unless given. User and password may be percent-encoded. `Debug` and the errors
/// of parsing never show the password.
///
/// ```
/// use std::time::Duration;
///
/// let config: formicary_actors::RedisConfig = "redis://ada:secret@localhost".parse()?;
/// let config = config.heartbeat(Duration::from_secs(1));
/// assert_eq!(format!("{config:?}"), "RedisConfig(redis://ada:***@localhost:6379/0)");
/// # Ok::<(), formicary_actors::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisConfig {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: Settings,
    pub(crate) lease: Duration,
    pub(crate) remembered_keys: NonZeroUsize,
}

/// How long a consumer is taken for alive after its last sign of life, unless set.
const LEASE: Duration = Duration::from_secs(15);
/// The shortest lease.
const LEAST_LEASE: Duration = Duration::from_millis(100);
/// The longest lease.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many keys a queue remembers at most, unless set.
const REMEMBERED_KEYS: NonZeroUsize = NonZeroUsize::new(1_000_000).unwrap();

impl RedisConfig {
    /// For a broker: how long a consumer that gives no sign of life keeps the messages that it holds. It gives one every
    /// third of this time; when it has given none for a lease, the other consumers of its queue take its messages over,
    /// within one and a half. Default 15 s, at least 100 ms, at most a day. Give all processes the same.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(LEAST_LEASE, LONGEST_LEASE);
        self
    }

    /// For a broker: how many keys of messages a queue remembers for `dedup` at most, about 100 bytes each at the server.
    /// Beyond it those whose time ends first are forgotten early, which is logged once a minute. Default 1,000,000.
    #[must_use]
    pub fn remembered_keys(mut self, keys: NonZeroUsize) -> Self {
        self.remembered_keys = keys;
        self
    }

    /// An idle connection is asked for a sign of life after this time; one that is half open is found within twice of
    /// it. Default 5 s, at least 10 ms.
    ///
    /// What is on its way counts when it is there as a whole: where a line is so narrow that one answer (a signal, or the messages
    /// that a consumer takes at once) needs longer than this, set it higher, or the connection is taken for dead.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.settings.heartbeat = heartbeat.max(Duration::from_millis(10));
        self
    }

    /// With `rediss://`: trusts the authorities in this file (PEM) and no others. By default those that the machine trusts.
    ///
    /// The file is read for every connection; when it cannot be, the start fails and says why.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.tls.trust(file.into());
        self
    }

    /// With `rediss://`: shows this certificate to a server that asks for one. Two files (PEM): the certificate, with those
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

    /// How long one attempt to connect and log in may take. Default 5 s.
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

    /// What waits to be sent goes out together: so many publishes, or pushes to one queue, in one command at most, and so
    /// many bytes; a larger message goes out alone. Default 32 and 64 KiB. One that finds nothing else waits for nothing.
    #[must_use]
    pub fn batch(mut self, messages: NonZeroUsize, bytes: NonZeroUsize) -> Self {
        self.settings.parcel_commands = messages;
        self.settings.parcel_bytes = bytes;
        self
    }

    /// For a bus: how many received messages are kept until they are put into inboxes, which happens at once unless the
    /// thread stands still; what overflows is counted as dropped. Default 16,384, about 0.6 KiB each. A broker receives
    /// nothing in this way.
    #[must_use]
    pub fn message_buffer(mut self, messages: NonZeroUsize) -> Self {
        self.settings.message_buffer = messages;
        self
    }

    /// The settings of an adapter's connection, with the bounds of its group.
    pub(crate) fn settings_for(&self, limits: &crate::Limits) -> Settings {
        Settings { max_in_flight: limits.in_flight, max_waiting: limits.in_flight, ..self.settings.clone() }
    }
}

impl FromStr for RedisConfig {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        let endpoint = url.parse().map_err(|error: EndpointError| Error::Settings(error.to_string()))?;
        Ok(Self { endpoint, settings: Settings::default(), lease: LEASE, remembered_keys: REMEMBERED_KEYS })
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisConfig({})", self.endpoint)
    }
}
