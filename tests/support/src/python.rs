//! Python `microagent` processes: the scripts of `tests/interop`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Child, Signal};
use crate::wait;

/// Time for a script to import, connect and subscribe.
const START: Duration = Duration::from_secs(20);

/// The Python to run: `FORMICARY_PYTHON`, else that of the workspace's `.venv`.
pub(crate) fn program() -> PathBuf {
    match std::env::var_os("FORMICARY_PYTHON").filter(|named| !named.is_empty()) {
        Some(named) => PathBuf::from(named),
        None => crate::workspace().join(".venv/bin/python"),
    }
}

/// A script of `tests/interop`: what it sees comes as JSON lines, what it shall do goes as JSON lines.
///
/// ```no_run
/// # use formicary_test_support::{python::Peer, redis::Server};
/// # use serde_json::json;
/// # use std::time::Duration;
/// # async fn a_test(server: Server) {
/// let peer = Peer::start("peer.py", &["--dsn", &server.url(), "--listen", "user_created"]).await;
/// peer.send(&json!({"do": "send", "signal": "started", "sender": "me", "args": {}}));
/// let seen = peer.wait_json(|line| line["saw"] == "user_created", Duration::from_secs(5)).await;
/// assert_eq!(seen["args"]["user_id"], 1);
/// # }
/// ```
#[derive(Debug)]
pub struct Peer {
    child: Child,
}

impl Peer {
    /// Runs `tests/interop/<script>` and waits for its line `ready`: its subscriptions are live then.
    ///
    /// # Panics
    ///
    /// When it is not ready within 20 s; the message holds what it printed.
    pub fn start(script: &str, args: &[&str]) -> impl Future<Output = Peer> + use<> {
        let mut command = Command::new(program());
        command.arg("-u").arg(crate::workspace().join("tests/interop").join(script)).args(args);
        async move {
            let child = Child::spawn(command);
            child.wait_stdout(|line| line == "ready", START).await;
            Peer { child }
        }
    }

    /// The process, for its signals and its stderr.
    pub fn process(&self) -> &Child {
        &self.child
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.child.stdout_lines()
    }

    /// The lines so far that are JSON and that `wanted` accepts, in their order.
    pub fn jsons(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let lines = self.lines().into_iter().filter(|line| line.starts_with('{'));
        lines.filter_map(|line| serde_json::from_str(&line).ok()).filter(|value| wanted(value)).collect()
    }

    /// Waits for a line that `wanted` accepts, and returns it. Lines printed before count.
    ///
    /// # Panics
    ///
    /// At the deadline, or when the script has ended without such a line.
    #[track_caller]
    pub fn wait_line(&self, wanted: impl Fn(&str) -> bool, deadline: Duration) -> impl Future<Output = String> {
        self.child.wait_stdout(wanted, deadline)
    }

    /// Waits for a JSON line that `wanted` accepts; like [`Peer::wait_line`].
    ///
    /// # Panics
    ///
    /// At the deadline; the message holds the script's output.
    #[track_caller]
    pub fn wait_json(&self, wanted: impl Fn(&Value) -> bool, deadline: Duration) -> impl Future<Output = Value> {
        let found = self.wait_jsons(1, wanted, deadline);
        async move { found.await.swap_remove(0) }
    }

    /// Waits for `count` JSON lines that `wanted` accepts, and returns all there are then.
    ///
    /// # Panics
    ///
    /// At the deadline; the message holds the script's output.
    #[track_caller]
    pub fn wait_jsons(
        &self,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
        deadline: Duration,
    ) -> impl Future<Output = Vec<Value>> {
        wait::until(deadline, format!("{count} lines of a Python peer"), async move || {
            let found = self.jsons(&wanted);
            if found.len() < count {
                return Err(format!("{}\n{}", self.child.stdout(), self.child.stderr()));
            }
            Ok(found)
        })
    }

    /// Sends one command as a JSON line.
    ///
    /// # Panics
    ///
    /// When the script has ended; the message holds its stderr.
    pub fn send(&self, command: &Value) {
        self.send_line(&command.to_string());
    }

    /// Sends one line as it is.
    ///
    /// # Panics
    ///
    /// When the script has ended; the message holds its stderr.
    pub fn send_line(&self, line: &str) {
        if let Err(error) = self.child.send_line(line) {
            panic!("the Python peer takes no line: {error}\n{}", self.child.stderr());
        }
    }

    /// Ends the script (SIGTERM, after 5 s SIGKILL) and returns its exit code.
    pub async fn stop(self) -> i32 {
        self.child.signal(Signal::TERM);
        self.child.end(Duration::from_secs(5)).await
    }
}
