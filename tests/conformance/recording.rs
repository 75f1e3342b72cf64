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
        // They are recorded, and not delivered.
        promises.delivers_headers = false;
        promises
    }

    fn broker(&self) -> BrokerConfig {
        BrokerConfig::recording(self.0.clone())
    }
}

formicary::conformance::broker!(Recording);
