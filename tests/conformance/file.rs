//! The example of an adapter: a broker on files.

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place};
use formicary::{BrokerConfig, Clock, Ids};
use tempfile::TempDir;

#[path = "../../examples/file_broker/adapter.rs"]
mod adapter;
#[path = "../../examples/file_broker/store.rs"]
mod store;

/// A folder, and another program that uses it.
struct InAFolder(TempDir, store::Store);

impl Place for InAFolder {
    async fn begin() -> Result<Self, Missing> {
        let folder = TempDir::new().unwrap();
        let other = store::Store::open(folder.path(), Clock::System, Ids::random());
        Ok(Self(folder, other))
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
        self.1.declare(queue).and_then(|()| self.1.send(queue, body)).is_ok()
    }
}

formicary::conformance::broker!(InAFolder);

#[test]
fn what_cannot_be_taken_stays_and_strands_nothing() {
    let folder = TempDir::new().unwrap();
    let store = store::Store::open(folder.path(), Clock::System, Ids::random());
    store.declare("mail").unwrap();
    store.send("mail", b"one").unwrap();
    std::fs::write(folder.path().join("mail/delayed/00000000000000000001~x"), b"no entry").unwrap();
    // A folder can be moved like a file, but it cannot be read. It sorts behind the rest.
    let unreadable = folder.path().join("mail/waiting/unreadable");
    std::fs::create_dir(&unreadable).unwrap();
    let mut taken = Vec::new();
    store.take("mail", 10, |message| taken.push(message.entry.body)).unwrap_err();
    assert_eq!(taken, [&b"no entry"[..], b"one"]);
    assert!(unreadable.exists());
    assert_eq!(store.counts("mail").unwrap().in_flight, 2);
}
