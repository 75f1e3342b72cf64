//! What was handled, by whichever process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::*;

/// A file of one test, with a line for each handling.
pub struct Record(tempfile::TempDir);

/// One handling of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    pub n: u64,
    pub attempt: u32,
    /// The process.
    pub by: u32,
}

impl Record {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("handled")
    }

    /// Every handling so far, in order.
    pub fn all(&self) -> Vec<Handled> {
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        text.lines().map(|line| Handled::parse(line).unwrap_or_else(|| panic!("no line of ours: {line:?}"))).collect()
    }

    /// The handlings so far by one process.
    pub fn by(&self, process: u32) -> Vec<Handled> {
        self.all().into_iter().filter(|handled| handled.by == process).collect()
    }

    /// Whether this process has handled any.
    pub fn has_any_by(&self, process: u32) -> bool {
        self.all().iter().rev().any(|handled| handled.by == process)
    }

    /// The numbers of all messages that were handled.
    pub fn numbers(&self) -> BTreeSet<u64> {
        self.all().into_iter().map(|handled| handled.n).collect()
    }

    /// How many handlings came after the first one of their message.
    pub fn duplicates(&self) -> usize {
        let mut times = BTreeMap::<u64, usize>::new();
        self.all().into_iter().for_each(|handled| *times.entry(handled.n).or_default() += 1);
        times.into_values().map(|times| times - 1).sum()
    }

    /// Waits until so many different messages were handled.
    pub async fn until(&self, count: usize, limit: Duration) {
        until(limit, format!("{count} messages to be handled"), async || match self.numbers().len() {
            enough if enough >= count => Ok(()),
            fewer => Err(fewer),
        })
        .await;
    }

    /// Waits until this process has handled so many.
    pub async fn until_by(&self, process: u32, count: usize) {
        until(SOON, format!("{count} messages to be handled"), async || match self.by(process).len() {
            enough if enough >= count => Ok(()),
            fewer => Err(fewer),
        })
        .await;
    }
}

impl Handled {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let mut next = || parts.next();
        Some(Self { n: next()?.parse().ok()?, attempt: next()?.parse().ok()?, by: next()?.parse().ok()? })
    }

    /// Appends it in one write: several processes share the file, and a killed one leaves no half of a line.
    pub fn write(&self, mut file: &File) {
        file.write_all(format!("{} {} {}\n", self.n, self.attempt, self.by).as_bytes()).unwrap();
    }
}

/// The file, for a process that handles.
pub fn open(path: &Path) -> File {
    File::options().append(true).create(true).open(path).unwrap()
}
