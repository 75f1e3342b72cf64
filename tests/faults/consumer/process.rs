//! The process as its test sees it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::Command;

use formicary::EventKind;
use formicary_test_support::process::{Child, Signal};

use super::Setup;
use super::child::{ROLE, TEST};
use crate::common::*;

/// A running consumer; killed when dropped.
pub struct Process {
    child: Child,
    asked: Cell<usize>,
}

/// What happened in a process so far.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Process {
    /// Starts it, and waits until it consumes.
    pub async fn start(setup: &Setup) -> Self {
        let process = Self::start_any(setup).await;
        process.child.wait_stdout(|line| line.ends_with("ready"), SOON).await;
        process
    }

    /// Starts one that may end before it says that it consumes.
    pub async fn start_any(setup: &Setup) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let (_, name) = TEST.split_once("::").unwrap();
        command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
        command.env(ROLE, serde_json::to_string(setup).unwrap());
        command.envs(setup.env.iter().cloned());
        let child = Child::spawn(command);
        Self { child, asked: Cell::new(0) }
    }

    pub fn id(&self) -> u32 {
        self.child.pid()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.child.stderr()
    }

    /// `kill -9`, and its end.
    pub async fn kill(&self) {
        self.child.signal(Signal::KILL);
        self.child.wait(SOON).await;
    }

    /// SIGSTOP: it stands still, and its connections stay open.
    pub fn freeze(&self) {
        self.child.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.child.signal(Signal::CONT);
    }

    /// Waits for its end, whatever brings it; returns its exit code.
    pub async fn ended(&self) -> i32 {
        self.child.wait(LONG).await
    }

    /// SIGTERM, and its end, which must be a clean one.
    pub async fn stop(&self) -> Counters {
        self.child.signal(Signal::TERM);
        assert_eq!(self.child.wait(SOON).await, 0, "{}", self.log());
        self.last_counters().await
    }

    /// What happened in it until its end.
    pub async fn last_counters(&self) -> Counters {
        self.counted(self.asked.get()).await
    }

    /// What happened in it so far.
    pub async fn counters(&self) -> Counters {
        let before = self.asked.replace(self.asked.get() + 1);
        self.child.send_line("counters").unwrap();
        self.counted(before).await
    }

    async fn counted(&self, before: usize) -> Counters {
        until(SOON, "counters", async || {
            let lines = self.child.stdout_lines();
            let mut told = lines.iter().filter_map(|line| line.strip_prefix("counters "));
            told.nth(before).map(|counters| Counters(serde_json::from_str(counters).unwrap()))
        })
        .await
    }

    /// Waits until something has happened in it so often.
    pub async fn until(&self, kind: EventKind, count: u64) {
        let what = format!("{count} {}", kind.word());
        until(SOON, what, async || match self.counters().await.of(kind) {
            enough if enough >= count => Ok(()),
            fewer => Err(fewer),
        })
        .await;
    }
}

impl Counters {
    pub fn of(&self, kind: EventKind) -> u64 {
        self.0[kind.word()]
    }
}
