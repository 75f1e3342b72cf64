//! One Redis, with groups and Python peers on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary::{EventKind, Group, GroupBuilder, Value};
use formicary_test_support::python::Peer;
use formicary_test_support::redis::Server;
use formicary_test_support::{require_python, require_redis, wait, workspace};

/// Long enough for a Python process on a busy machine; nothing here waits this long unless it fails.
pub const SOON: Duration = Duration::from_secs(15);

pub struct Stage {
    pub server: Server,
}

impl Stage {
    /// A stage, or `None` where Redis or Python is missing.
    pub async fn new(test: &str) -> Option<Stage> {
        match require_python(test) {
            true => Stage::without_python(test).await,
            false => None,
        }
    }

    pub async fn without_python(test: &str) -> Option<Stage> {
        match require_redis(test) {
            true => Some(Stage { server: Server::start().await }),
            false => None,
        }
    }

    pub fn group(&self) -> GroupBuilder {
        let url = self.server.url();
        Group::builder().declarations(crate::declarations()).bus(url.parse().unwrap()).broker(url.parse().unwrap())
    }

    /// Starts `peer.py`; it is ready when its subscriptions are live.
    pub fn peer(&self, more: &[&str]) -> impl Future<Output = Peer> + use<> {
        let url = self.server.url();
        let signals = workspace().join("tests/interop/signals.json");
        let signals = signals.to_string_lossy();
        let mut args = vec!["--dsn", &*url, "--signals", &*signals];
        args.extend(more);
        Peer::start("peer.py", &args)
    }

    /// Publishes bytes as they are; returns the number of receivers.
    pub async fn publish(&self, channel: &[u8], body: &[u8]) -> i64 {
        self.server.command(&[b"PUBLISH", channel, body]).await.unwrap().integer().unwrap()
    }

    /// An integer that the server answers.
    pub async fn ask(&self, command: &[&str]) -> i64 {
        self.server.command(command).await.unwrap().integer().unwrap()
    }
}

/// What agents saw, in order, seen from every thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Value>>>);

impl Log {
    pub fn add(&self, line: Value) {
        self.0.lock().unwrap().push(line);
    }

    pub fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for so many lines, and returns all.
    pub async fn until(&self, count: usize) -> Vec<Value> {
        wait::until(SOON, format!("{count} lines"), async || match self.all() {
            lines if lines.len() >= count => Ok(lines),
            lines => Err(lines),
        })
        .await
    }
}

/// Waits until something has happened so often, and no more often.
pub async fn counted(group: &Group, kind: EventKind, count: u64) {
    wait::until(SOON, format!("{count} times {}", kind.word()), async || match group.events().count(kind) {
        found if found == count => Ok(()),
        found => Err(found),
    })
    .await;
}

/// Tells a peer to do something, and waits until it is done.
pub async fn command(peer: &Peer, command: Value) -> Value {
    command_line(peer, &command.to_string()).await
}

/// As [`command`], for what a `Value` cannot hold, such as `NaN`.
pub async fn command_line(peer: &Peer, line: &str) -> Value {
    let told = |found: &Value| found.get("did").is_some() || found.get("error").is_some();
    let before = peer.jsons(told).len();
    peer.send_line(line);
    let mut done = peer.wait_jsons(before + 1, told, SOON).await;
    let done = done.swap_remove(before);
    assert!(done.get("error").is_none(), "the peer could not: {done}");
    done
}
