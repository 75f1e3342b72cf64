//! The example of an adapter: a broker on files.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place};
use formicary::contract::{Delivered, DeliveryInlet};
use formicary::{BrokerConfig, Clock, Declarations, Env, Ids, Prefix, Value};
use tempfile::TempDir;
use tokio::sync::Notify;

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
    // A folder can be moved like a file, but it cannot be read. It sorts before the rest.
    let unreadable = folder.path().join("mail/waiting/0");
    std::fs::create_dir(&unreadable).unwrap();
    let mut taken = Vec::new();
    store.take("mail", 10, |message| taken.push(message.entry.body)).unwrap_err();
    assert_eq!(taken, [&b"no entry"[..], b"one"]);
    assert!(unreadable.exists());
    assert_eq!(store.counts("mail").unwrap().in_flight, 2);
}

/// What this thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Came(Notify);

impl DeliveryInlet for Came {
    fn deliver(&self, _: Delivered) {
        self.0.notify_one();
    }
}

#[actix_rt::test]
async fn a_file_that_cannot_be_read_is_one_line_and_not_one_for_each_look() {
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _logged = tracing::subscriber::set_default(layer.finish());
    let folder = TempDir::new().unwrap();
    let declarations = Declarations::parse(r#"{"signals": [], "queues": [{"name": "mail"}]}"#, "test").unwrap();
    let broker = adapter::start(folder.path(), Env::new(Prefix::default(), Arc::new(declarations)));
    broker.declare("mail").await.unwrap();
    std::fs::create_dir(folder.path().join("mail/waiting/0")).unwrap();
    let came = Arc::new(Came::default());
    broker.consume("mail", NonZeroUsize::new(64).unwrap(), "test", came.clone()).await.unwrap();
    // Each comes with another look.
    for _ in 0..10 {
        broker.dynamic("mail", &Value::Null).await.unwrap();
        came.0.notified().await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("messages could not be taken").count(), 1, "{log}");
}
