//! What a consumer's process shall be.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use formicary::{AmqpConfig, BrokerConfig, RedisConfig, RestartPolicy, Retry};
use formicary_test_support::wall::WallClock;
use serde::{Deserialize, Serialize};

use super::Record;

/// What the handler does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// It writes its line, and takes so long.
    Takes(Duration),
    /// It panics, whatever comes.
    Panics,
    /// It fails every tenth message, those whose number ends with this digit.
    Fails(u64),
    /// It writes its line, and passes each message on to another queue.
    Passes,
    /// This message ends its process at once; all others are handled.
    Dies(u64),
}

/// A consumer's process. Waits are short, so that tests are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    pub url: String,
    /// So long it may give no sign of life: the lease on Redis, the heartbeat on RabbitMQ.
    pub lease: Duration,
    pub concurrency: NonZeroUsize,
    pub attempts: NonZeroU32,
    pub pause: Duration,
    /// How many crashes in a minute its agent may have; the default of the framework if `None`.
    pub intensity: Option<usize>,
    pub work: Work,
    pub record: PathBuf,
    /// More for its environment.
    pub env: Vec<(String, PathBuf)>,
}

impl Setup {
    pub fn new(url: String, record: &Record) -> Self {
        Self {
            url,
            lease: Duration::from_secs(1),
            concurrency: NonZeroUsize::new(16).unwrap(),
            attempts: NonZeroU32::new(5).unwrap(),
            pause: Duration::from_millis(50),
            intensity: None,
            work: Work::Takes(Duration::ZERO),
            record: record.path(),
            env: Vec::new(),
        }
    }

    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: NonZeroU32::new(attempts).unwrap(), ..self }
    }

    pub fn intensity(self, crashes: usize) -> Self {
        Self { intensity: Some(crashes), ..self }
    }

    pub fn work(self, work: Work) -> Self {
        Self { work, ..self }
    }

    /// It goes by this clock.
    pub fn clock(self, clock: &WallClock) -> Self {
        Self { env: clock.env().map(|(name, value)| (name.to_owned(), value)).into(), ..self }
    }

    pub fn at(self, url: String) -> Self {
        Self { url, ..self }
    }

    pub fn broker(&self) -> BrokerConfig {
        if self.url.starts_with("amqp") {
            return BrokerConfig::amqp(self.url.parse::<AmqpConfig>().unwrap().heartbeat(self.lease));
        }
        BrokerConfig::redis(self.url.parse::<RedisConfig>().unwrap().lease(self.lease))
    }

    pub fn retry(&self) -> Retry {
        Retry::constant(self.pause).attempts(self.attempts)
    }

    pub fn restarts(&self) -> RestartPolicy {
        let policy = RestartPolicy::default().constant(Duration::from_millis(1));
        match self.intensity {
            Some(crashes) => policy.intensity(crashes, Duration::from_secs(60)),
            None => policy,
        }
    }
}
