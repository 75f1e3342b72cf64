//! `--summary`: one JSON object at the end.

use std::io::{self, Write};
use std::path::PathBuf;

use formicary::{EventKind, Events};
use serde::Serialize;

/// Where the summary goes.
#[derive(Debug)]
pub enum Target {
    Stdout,
    File(PathBuf),
}

#[derive(Debug, Serialize)]
pub struct Summary {
    signals_sent: u64,
    signals_received: u64,
    calls: u64,
    calls_answered: u64,
    calls_failed: u64,
    queued: u64,
    consumed: u64,
    retried: u64,
    dead_lettered: u64,
    returned: u64,
    left: u64,
    restarts: u64,
    dropped: u64,
}

impl Target {
    /// Takes a path that can be written at the end, as far as can be told now. Nothing is created yet.
    pub fn check(path: PathBuf) -> Result<Self, String> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if path.is_dir() {
            return Err(format!("{} is a directory: write the path of a file, or -", path.display()));
        }
        match folder {
            Some(folder) if !folder.is_dir() => Err(format!("{} is no directory: create it first", folder.display())),
            _ => Ok(Self::File(path)),
        }
    }

    pub fn write(&self, summary: &Summary) -> Result<(), String> {
        let mut line = serde_json::to_string(summary).map_err(|error| error.to_string())?;
        line.push('\n');
        match self {
            Self::Stdout => io::stdout().write_all(line.as_bytes()).map_err(|error| format!("stdout: {error}")),
            Self::File(path) => std::fs::write(path, line).map_err(|error| format!("{}: {error}", path.display())),
        }
    }
}

impl Summary {
    /// With `killed`, a process that counted for this one was killed and took its last counts along: what is neither left
    /// nor dead was consumed.
    pub fn new(events: &Events, left: u64, killed: bool) -> Self {
        let count = |kind| events.count(kind);
        let (queued, dead_lettered) = (count(EventKind::Queued), count(EventKind::DeadLettered));
        let gone = if killed { queued.saturating_sub(left + dead_lettered) } else { 0 };
        let (calls_answered, calls_failed) = (count(EventKind::CallAnswered), count(EventKind::CallFailed));
        Self {
            signals_sent: count(EventKind::SignalSent),
            signals_received: count(EventKind::SignalReceived),
            calls: calls_answered + calls_failed,
            calls_answered,
            calls_failed,
            queued,
            consumed: count(EventKind::Consumed).max(gone),
            retried: count(EventKind::Retried),
            dead_lettered,
            returned: count(EventKind::Returned),
            left,
            restarts: count(EventKind::Restarted),
            dropped: count(EventKind::Dropped),
        }
    }
}
