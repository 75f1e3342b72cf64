//! What all tests here use.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use formicary::{Declarations, Error, Remote};
use tempfile::TempDir;
use tracing_subscriber::filter::LevelFilter;

pub const DOCUMENT: &str = r#"{"signals": [{"name": "from_server", "providing_args": ["user_id"]}]}"#;

/// Less than the patience of a test, and more than a loaded machine needs for an answer at hand.
pub const SOON: Duration = Duration::from_secs(10);

pub fn load(remote: &Remote) -> Result<Declarations, Error> {
    remote.load_blocking()
}

#[track_caller]
pub fn refused(remote: &Remote) -> Error {
    match load(remote) {
        Ok(_) => panic!("{remote:?} was loaded"),
        Err(error) => error,
    }
}

/// A URL at which nobody listens.
pub fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://127.0.0.1:{}/a.json", listener.local_addr().unwrap().port())
}

/// A file for a cached copy, in a directory of its own.
pub struct Copy {
    directory: TempDir,
}

impl Copy {
    pub fn none() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub fn of(text: &str) -> Self {
        let copy = Self::none();
        std::fs::write(copy.path(), text).unwrap();
        copy
    }

    /// Written an hour ago.
    pub fn old(text: &str) -> Self {
        let copy = Self::of(text);
        let file = std::fs::File::options().write(true).open(copy.path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        copy
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("copy.json")
    }

    pub fn text(&self) -> Option<String> {
        std::fs::read_to_string(self.path()).ok()
    }

    /// How many files are in the directory.
    pub fn files(&self) -> usize {
        std::fs::read_dir(self.directory.path()).unwrap().count()
    }
}

/// Log lines of one thread and of the loadings that it starts.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `work` yields, and the log lines of all levels meanwhile.
pub fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let value = tracing::subscriber::with_default(subscriber, work);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    (value, text.lines().map(str::to_owned).collect())
}
