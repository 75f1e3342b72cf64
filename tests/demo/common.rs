//! A run of the demo, with its outbox and its summary in a folder of its own.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use formicary_test_support::process::{Child, example};
use serde_json::Value;
use tempfile::TempDir;

pub use formicary_test_support::wait::until;

/// Time for anything that should be quick, on a machine that is busy.
pub const SOON: Duration = Duration::from_secs(30);

/// The keys of a summary, all of them.
const KEYS: [&str; 13] = [
    "signals_sent",
    "signals_received",
    "calls",
    "calls_answered",
    "calls_failed",
    "queued",
    "consumed",
    "retried",
    "dead_lettered",
    "returned",
    "left",
    "restarts",
    "dropped",
];

pub struct Demo {
    pub process: Child,
    folder: TempDir,
}

/// The numbers of a summary.
#[derive(Debug)]
pub struct Summary(HashMap<String, u64>);

impl Demo {
    pub fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(example("cluster"));
        command.args(args).env_remove("RUST_LOG");
        command.arg("--outbox").arg(folder.path().join("outbox")).arg("--summary").arg(folder.path().join("summary"));
        Self { process: Child::spawn(command), folder }
    }

    /// All three agents, the last of which is the user agent, have started.
    pub async fn started(&self, agent: &str) {
        let started = format!("started agent={agent}");
        self.process.wait_stderr(|line| line.contains(&started), SOON).await;
    }

    /// Waits for the end, which must come with this exit code, and reads the summary.
    pub async fn ends(&self, code: i32) -> Summary {
        let ended = self.process.wait(SOON).await;
        assert_eq!(ended, code, "{}", self.process.stderr());
        Summary::parse(&fs::read_to_string(self.folder.path().join("summary")).unwrap())
    }

    pub fn has_summary(&self) -> bool {
        self.folder.path().join("summary").exists()
    }

    /// The lines of the outbox so far.
    pub fn mails(&self) -> Vec<Value> {
        mails(&self.outbox())
    }

    pub fn outbox(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }
}

pub fn mails(outbox: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(outbox).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How often each text was mailed.
pub fn texts(mails: &[Value]) -> HashMap<String, u64> {
    let mut texts = HashMap::new();
    for mail in mails {
        *texts.entry(mail["text"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    texts
}

impl Summary {
    pub fn parse(text: &str) -> Self {
        let numbers: HashMap<String, u64> = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        let mut keys: Vec<_> = numbers.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let mut expected = KEYS;
        expected.sort_unstable();
        assert_eq!(keys, expected);
        Self(numbers)
    }

    pub fn get(&self, key: &str) -> u64 {
        self.0[key]
    }

    /// What holds for every run, whatever happened to it.
    pub fn adds_up(&self) {
        assert_eq!(self.get("calls"), self.get("calls_answered") + self.get("calls_failed"), "{self:?}");
        let found = self.get("consumed") + self.get("dead_lettered") + self.get("left");
        assert!(self.get("queued") <= found, "{self:?}");
    }
}
