//! The demo cluster as a process, and its Python twins.

use std::process::Command;

use formicary::Value;
use formicary_test_support::process::{Child, example};
use formicary_test_support::python::Peer;
use formicary_test_support::wait;

use crate::stage::{SOON, Stage};

/// Signals of each kind a second.
pub const RATE: &str = "20";
/// How many pairs that is in 3 s. A busy machine sends fewer: what a stall held up is not sent later.
pub const PLAUSIBLE: std::ops::RangeInclusive<u64> = 3..=80;

pub struct Demo {
    pub stage: Stage,
    folder: tempfile::TempDir,
}

impl Demo {
    pub async fn new(test: &str) -> Option<Demo> {
        let stage = Stage::new(test).await?;
        Some(Demo { stage, folder: tempfile::tempdir().unwrap() })
    }

    pub fn outbox(&self) -> String {
        self.folder.path().join("outbox").to_string_lossy().into_owned()
    }

    pub fn rust(&self, agents: &str, more: &[&str]) -> Child {
        let mut command = Command::new(example("cluster"));
        let url = self.stage.server.url();
        command.args(["--agents", agents, "--bus", &url, "--broker", &url, "--rate", RATE, "--summary", "-"]);
        command.args(more);
        Child::spawn(command)
    }

    pub async fn python(&self, script: &str, more: &[&str]) -> Peer {
        let url = self.stage.server.url();
        let mut args = vec!["--dsn", &*url];
        args.extend(more);
        Peer::start(script, &args).await
    }

    /// Texts of the mails that were delivered so far.
    pub fn mails(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.outbox()).unwrap_or_default();
        let line = |line| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        text.lines().map(line).collect()
    }

    pub async fn mails_until(&self, count: u64) -> Vec<String> {
        wait::until(SOON, format!("{count} mails"), async || match self.mails() {
            mails if mails.len() as u64 >= count => Ok(mails),
            mails => Err(mails.len()),
        })
        .await
    }
}

/// Waits for the end; it must be clean. Returns the summary.
pub async fn summary(cluster: Child) -> Value {
    assert_eq!(cluster.wait(SOON).await, 0, "{}", cluster.stderr());
    serde_json::from_str(&cluster.stdout()).unwrap_or_else(|error| panic!("{error}: {}", cluster.stdout()))
}

pub fn number(summary: &Value, key: &str) -> u64 {
    summary[key].as_u64().unwrap_or_else(|| panic!("no {key} in {summary}"))
}

/// Welcomes, comments, and reports, which come at each full minute.
pub fn sorts(mails: &[String]) -> (u64, u64, u64) {
    let count = |start: &str| mails.iter().filter(|text| text.starts_with(start)).count() as u64;
    let (welcomes, comments, reports) = (count("Welcome user "), count("Comment"), count("Report"));
    assert_eq!(welcomes + comments + reports, mails.len() as u64, "{mails:?}");
    (welcomes, comments, reports)
}
