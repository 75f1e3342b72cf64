use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::Error;
use crate::redis::{Endpoint, EndpointError, Settings};

/// How to reach the Redis of a broker. Parsed from `redis://[user:password@]host[:port][/db]`.
///
/// The port is 6379 and the database 0 unless given. User and password may be percent-encoded. `Debug` and the errors
/// of parsing never show the password.
#[derive(Clone)]
pub struct RedisBrokerConfig {
    pub(super) endpoint: Endpoint,
    pub(super) settings: Settings,
}

impl RedisBrokerConfig {
    /// An idle connection is asked for a sign of life after this time; one that is half open is found within twice of
    /// it. Default 5 s.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.settings.heartbeat = heartbeat.max(Duration::from_millis(10));
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
}

impl FromStr for RedisBrokerConfig {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        let endpoint = url.parse().map_err(|error: EndpointError| Error::Settings(error.to_string()))?;
        Ok(Self { endpoint, settings: Settings::default() })
    }
}

impl fmt::Debug for RedisBrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisBrokerConfig({})", self.endpoint)
    }
}
