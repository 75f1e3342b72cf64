//! The broker in memory.

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place};
use formicary::{BrokerConfig, MemoryBroker};

struct InMemory(MemoryBroker);

impl Place for InMemory {
    async fn begin() -> Result<Self, Missing> {
        Ok(Self(MemoryBroker::new()))
    }
}

impl BrokerPlace for InMemory {
    fn promises() -> BrokerPromises {
        let mut promises = BrokerPromises::default();
        promises.clockless = true;
        promises
    }

    fn broker(&self) -> BrokerConfig {
        BrokerConfig::memory(self.0.clone())
    }

    async fn push_raw(&self, queue: &str, body: &[u8]) -> bool {
        self.0.push_raw(queue, body);
        true
    }
}

formicary::conformance::broker!(InMemory);
