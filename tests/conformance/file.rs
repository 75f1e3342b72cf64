//! The example of an adapter: a broker on files.

use formicary::BrokerConfig;
use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place};
use tempfile::TempDir;

#[path = "../../examples/file_broker/adapter.rs"]
mod adapter;
#[path = "../../examples/file_broker/store.rs"]
mod store;

struct InAFolder(TempDir);

impl Place for InAFolder {
    async fn begin() -> Result<Self, Missing> {
        Ok(Self(TempDir::new().unwrap()))
    }
}

impl BrokerPlace for InAFolder {
    fn promises() -> BrokerPromises {
        BrokerPromises::default()
    }

    fn broker(&self) -> BrokerConfig {
        adapter::file_broker(self.0.path())
    }

    async fn push_raw(&self, queue: &str, body: &[u8]) -> bool {
        let other = store::Store::open(self.0.path(), "another-program");
        other.declare(queue).and_then(|()| other.send(queue, body)).is_ok()
    }
}

formicary::conformance::broker!(InAFolder);
