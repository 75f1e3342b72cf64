//! The broker in memory.

use std::num::NonZeroUsize;

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place, Trouble};
use formicary::{BrokerConfig, MemoryBroker};

/// More than a case has in one queue.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

struct InMemory(MemoryBroker);

impl Place for InMemory {
    async fn begin() -> Result<Self, Missing> {
        Ok(Self(MemoryBroker::with_capacity(CAPACITY)))
    }

    async fn upset(&mut self, trouble: Trouble) -> bool {
        if trouble == Trouble::Full {
            // One message more than there is room for is taken from other programs.
            (0..CAPACITY.get()).for_each(|_| self.0.push_raw("mailer", b"1"));
        }
        trouble == Trouble::Full
    }

    async fn mend(&mut self, _: Trouble) -> bool {
        true
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
