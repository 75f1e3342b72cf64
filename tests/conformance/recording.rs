//! The broker that records, which tests of agents use in the place of a real one.

use formicary::BrokerConfig;
use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place};
use formicary::testing::RecordingBroker;

struct Recording(RecordingBroker);

impl Place for Recording {
    async fn begin() -> Result<Self, Missing> {
        Ok(Self(RecordingBroker::new()))
    }
}

impl BrokerPlace for Recording {
    fn promises() -> BrokerPromises {
        let mut promises = BrokerPromises::default();
        promises.clockless = true;
        promises
    }

    fn broker(&self) -> BrokerConfig {
        BrokerConfig::recording(self.0.clone())
    }

    async fn push_raw(&self, queue: &str, body: &[u8]) -> bool {
        self.0.memory().push_raw(queue, body);
        true
    }
}

formicary::conformance::broker!(Recording);
