//! The bounds of a connection.

use std::{num::NonZeroUsize, time::Duration};

/// The bounds of a [`Connection`](super::Connection); every one has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// An idle connection is pinged after this time (default 5 s). The answer must come within four fifths of it, so a
    /// half-open connection is found within twice the heartbeat.
    pub heartbeat: Duration,
    /// How long one attempt to connect, log in and subscribe may take (default 5 s).
    pub connect_timeout: Duration,
    /// The first wait before a new attempt is random between 0 and this (default 50 ms); it doubles from attempt to attempt.
    pub backoff_first: Duration,
    /// The wait before a new attempt is never more than this (default 1 s).
    pub backoff_most: Duration,
    /// How many commands may be with the server at once (default 16,384); more wait in line.
    pub max_in_flight: NonZeroUsize,
    /// How many commands may wait in line, for a connection or for room in flight (default 10,000); more are refused.
    pub max_waiting: NonZeroUsize,
    /// How many publishes, or pushes to one list, may go out as one command (default 32).
    pub parcel_commands: NonZeroUsize,
    /// How many bytes of publishes or pushes may go out as one command (default 64 KiB); a larger one goes out alone.
    pub parcel_bytes: NonZeroUsize,
    /// How many received signals the driver keeps until we fetch them (default 16,384); what overflows is told as
    /// [`Incoming::Lost`](super::Incoming). Takes about 0.6 KiB each on a connection that subscribes, none elsewhere.
    pub message_buffer: NonZeroUsize,
    /// Logs outages at level debug (default false): for connections beside one that tells of them.
    pub quiet: bool,
    /// Whom a connection with TLS trusts, and which certificate it shows.
    #[cfg(feature = "tls")]
    pub tls: crate::connection::Tls,
}

const fn count(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            backoff_first: Duration::from_millis(50),
            backoff_most: Duration::from_secs(1),
            max_in_flight: count(16_384),
            max_waiting: count(10_000),
            parcel_commands: count(32),
            parcel_bytes: count(64 * 1024),
            message_buffer: count(16_384),
            quiet: false,
            #[cfg(feature = "tls")]
            tls: crate::connection::Tls::default(),
        }
    }
}
