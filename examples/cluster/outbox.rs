//! The outbox: one JSON line for each mail delivered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

#[derive(Debug)]
pub struct Outbox(File);

#[derive(Serialize)]
pub struct Line<'a> {
    pub text: &'a str,
    pub email: &'a str,
    pub message_id: &'a str,
    pub attempt: u32,
}

impl Outbox {
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.map(Self).map_err(|error| format!("cannot append to {}: {error}", path.display()))
    }

    /// Appends a line in one write, so that several processes may share the file.
    pub fn append(&self, line: &Line<'_>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let written = (&self.0).write(&bytes)?;
        if written < bytes.len() {
            return Err(io::Error::other(format!(
                "the outbox took {written} of {} bytes: is the disk full?",
                bytes.len()
            )));
        }
        Ok(())
    }
}
