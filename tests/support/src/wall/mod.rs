//! A wall clock that a test sets back and forth, for programs that it starts.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const FILE: &str = "FORMICARY_TEST_WALL_CLOCK";

/// The wall clock of some programs: that of the machine, plus what the test sets. Clocks that only go forward, by which
/// timers run, are as they are.
///
/// A small C library, built with the `cc` that links Rust programs too, stands before the system's in those programs.
/// Linux only.
#[derive(Debug)]
pub struct WallClock {
    folder: TempDir,
    offset: File,
}

impl WallClock {
    /// A clock that is right so far.
    ///
    /// # Panics
    ///
    /// When the library cannot be built; the message is the compiler's.
    pub fn new() -> WallClock {
        let folder = tempfile::Builder::new().prefix("formicary-clock-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder for a clock: {error}"));
        let source = folder.path().join("wall.c");
        let written = fs::write(&source, include_str!("wall.c"));
        let build = || {
            let mut cc = Command::new("cc");
            cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("wall.so")).arg(&source).output()
        };
        match written.and_then(|()| build()) {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("cc cannot build the clock: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => panic!("the clock cannot be built: {error}"),
        }
        let offset = File::create(folder.path().join("offset"));
        let offset = offset.unwrap_or_else(|error| panic!("no file for a clock: {error}"));
        let clock = WallClock { folder, offset };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds before (or, negative, behind) the real one; programs that run see it at once.
    ///
    /// # Panics
    ///
    /// When its file cannot be written.
    pub fn set(&self, seconds: i64) {
        let write = || {
            (&self.offset).rewind()?;
            (&self.offset).write_all(&seconds.to_ne_bytes())
        };
        write().unwrap_or_else(|error| panic!("the clock cannot be set: {error}"));
    }

    /// What a program needs in its environment to go by this clock.
    pub fn env(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", self.folder.path().join("wall.so")), (FILE, self.folder.path().join("offset"))]
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn a_program_goes_by_the_clock() {
        let clock = WallClock::new();
        let ahead = || {
            let output = Command::new("date").arg("+%s").envs(clock.env()).output().expect("date");
            let told: i64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
            told - i64::try_from(now.as_secs()).expect("a small number")
        };
        for seconds in [0, 3_600, -3_600] {
            clock.set(seconds);
            assert!((seconds - 2..=seconds + 2).contains(&ahead()), "{} and not {seconds}", ahead());
        }
    }
}
