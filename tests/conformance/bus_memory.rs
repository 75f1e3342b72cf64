//! The bus in memory, and the double that records.

use formicary::conformance::{BusPlace, BusPromises, Missing, Place, Raw};
use formicary::protocol::{Prefix, signal_channel};
use formicary::testing::RecordingBus;
use formicary::{BusConfig, MemoryBus};

struct InMemory(MemoryBus);

impl Place for InMemory {
    async fn begin() -> Result<Self, Missing> {
        Ok(Self(MemoryBus::new()))
    }
}

impl BusPlace for InMemory {
    fn promises() -> BusPromises {
        BusPromises::default()
    }

    fn bus(&self) -> BusConfig {
        BusConfig::memory(self.0.clone())
    }

    async fn publish_raw(&self, prefix: &Prefix, raw: Raw<'_>) -> bool {
        publish_raw(&self.0, prefix, raw);
        true
    }
}

struct Recording(RecordingBus);

impl Place for Recording {
    async fn begin() -> Result<Self, Missing> {
        Ok(Self(RecordingBus::new()))
    }
}

impl BusPlace for Recording {
    fn promises() -> BusPromises {
        let mut promises = BusPromises::default();
        promises.forgets = false;
        promises
    }

    fn bus(&self) -> BusConfig {
        BusConfig::recording(self.0.clone())
    }

    async fn publish_raw(&self, prefix: &Prefix, raw: Raw<'_>) -> bool {
        publish_raw(self.0.memory(), prefix, raw);
        true
    }
}

fn publish_raw(bus: &MemoryBus, prefix: &Prefix, raw: Raw<'_>) {
    bus.publish_raw(signal_channel(prefix, raw.signal, raw.sender, raw.call).as_bytes(), raw.body);
}

mod memory {
    use super::InMemory;

    formicary::conformance::bus!(InMemory);
}

mod recording {
    use super::Recording;

    formicary::conformance::bus!(Recording);
}
