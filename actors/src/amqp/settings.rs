//! The bounds of a connection.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The bounds of a [`Connection`](super::Connection); every one has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// An idle connection is asked for a sign of life after this time (default 5 s). The answer must come within four
    /// fifths of it, so a half-open connection is found within twice the heartbeat.
    pub heartbeat: Duration,
    /// How long one attempt to connect, log in and set up channels may take (default 5 s).
    pub connect_timeout: Duration,
    /// The first wait before a new attempt is random between 0 and this (default 50 ms); it doubles from attempt to attempt.
    pub backoff_first: Duration,
    /// The wait before a new attempt is never more than this (default 1 s).
    pub backoff_most: Duration,
    /// How long the server may take to answer one command, such as the opening of a channel (default 5 s). Then the
    /// connection is taken for dead.
    pub answer_timeout: Duration,
    /// So many deliveries may wait in this process before no more is read from the socket; of consumers that acknowledge, the
    /// prefetch is the bound (default none).
    pub read_ahead: Option<NonZeroUsize>,
    /// Logs outages at level debug (default false): for one of several, whose owner tells of all of them as one.
    pub quiet: bool,
    /// Whom a connection with TLS trusts, and which certificate it shows.
    #[cfg(feature = "tls")]
    pub tls: crate::connection::Tls,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            backoff_first: Duration::from_millis(50),
            backoff_most: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(5),
            read_ahead: None,
            quiet: false,
            #[cfg(feature = "tls")]
            tls: crate::connection::Tls::default(),
        }
    }
}
