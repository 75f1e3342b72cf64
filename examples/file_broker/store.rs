//! Queues as folders: what lies where, and how it moves. A move is a rename, which the file system does as a whole or not at
//! all, and for one process only.
//!
//! ```text
//! <queue>/waiting/<name>             a body, as it stands
//! <queue>/delayed/<due>~<name>       an entry: the body with its id, attempt and history, due at a time
//! <queue>/taken/<process>/<file>     either of them, in the hands of a process
//! <queue>/dead/<name>                a dead letter
//! ```
//!
//! A name begins with the time of the send, so names sort as messages were sent. What begins with a dot is being written.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use formicary::contract::{Counts, DeadCounts, Letters};
use formicary::protocol::{Bytes, DeadLetter, DeadReason, Entry, Failure};
use formicary::{Clock, Ids};

/// One process's view of a folder of queues.
pub struct Store {
    folder: PathBuf,
    process: Arc<str>,
    names: AtomicU64,
    clock: Clock,
    ids: Ids,
}

/// A message that this process has taken.
pub struct Taken {
    name: String,
    file: PathBuf,
    /// Whether the file holds the body alone.
    is_body: bool,
    pub entry: Entry,
}

impl Store {
    pub fn open(folder: &Path, clock: Clock, ids: Ids) -> Self {
        Self { folder: folder.to_owned(), process: ids.id(), names: AtomicU64::new(0), clock, ids }
    }

    /// Makes the folders of a queue.
    pub fn declare(&self, queue: &str) -> Result<()> {
        for part in ["waiting", "delayed", "dead"] {
            fs::create_dir_all(self.at(queue, part))?;
        }
        fs::create_dir_all(self.mine(queue))
    }

    pub fn send(&self, queue: &str, body: &[u8]) -> Result<()> {
        self.write(queue, "waiting", &self.new_name(), body)
    }

    pub fn send_later(&self, queue: &str, entry: &Entry, delay: Duration) -> Result<()> {
        self.delay(queue, &self.new_name(), entry, delay)
    }

    /// Takes what is due, then what waits, so many at most, and hands each to `with` as soon as it has it: an error takes
    /// nothing back, and blocks nothing behind it. What another process was quicker to take is left out.
    pub fn take(&self, queue: &str, most: usize, mut with: impl FnMut(Taken)) -> Result<()> {
        if most == 0 {
            return Ok(());
        }
        let now = self.clock.now_ms();
        let is_due =
            |file: &String| file.split_once('~').is_some_and(|(due, _)| due.parse().is_ok_and(|due: u64| due <= now));
        let due = files(&self.at(queue, "delayed"))?.into_iter().filter(is_due).map(|file| ("delayed", file));
        let waiting = files(&self.at(queue, "waiting"))?.into_iter().map(|file| ("waiting", file));
        let (mut taken, mut outcome) = (0, Ok(()));
        for (part, file) in due.chain(waiting) {
            if taken == most {
                break;
            }
            match self.take_one(queue, part, &file) {
                Ok(Some(message)) => {
                    with(message);
                    taken += 1;
                }
                Ok(None) => {}
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// `None`: another process was quicker.
    fn take_one(&self, queue: &str, part: &str, file: &str) -> Result<Option<Taken>> {
        let (from, to) = (self.at(queue, part).join(file), self.mine(queue).join(file));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        match fs::read(&to) {
            Ok(bytes) => Ok(Some(self.opened(file, to, bytes.into()))),
            // Nobody has it, so nobody would ever settle it.
            Err(error) => fs::rename(&to, &from).and(Err(error)),
        }
    }

    fn opened(&self, name: &str, file: PathBuf, bytes: Bytes) -> Taken {
        let (name, entry) = match name.split_once('~') {
            Some((_, name)) => (name.to_owned(), Entry::decode(&bytes)),
            None => return Taken { name: name.to_owned(), file, is_body: true, entry: self.new_entry(bytes) },
        };
        match entry {
            Ok(entry) => Taken { name, file, is_body: false, entry },
            // It must not block those behind it. As a body it goes the way of every body that nobody can read.
            Err(error) => {
                tracing::warn!(name, %error, "a file is no entry, and is handed over as it stands");
                Taken { name, file, is_body: true, entry: self.new_entry(bytes) }
            }
        }
    }

    /// An entry for a body that has none yet.
    pub fn new_entry(&self, body: Bytes) -> Entry {
        Entry::new(&self.ids.id(), self.clock.now_ms(), body)
    }

    pub fn ack(&self, taken: &Taken) -> Result<()> {
        fs::remove_file(&taken.file)
    }

    /// The next attempt is written before the last one is removed: a crash in between doubles it, and loses nothing.
    pub fn retry(&self, queue: &str, taken: &Taken, after: Duration, failure: Option<Failure>) -> Result<()> {
        let mut entry = taken.with(failure);
        entry.attempt = entry.attempt.saturating_add(1);
        self.delay(queue, &taken.name, &entry, after)?;
        self.ack(taken)
    }

    pub fn bury(&self, queue: &str, taken: &Taken, reason: DeadReason, failure: Option<Failure>) -> Result<()> {
        let letter = DeadLetter { entry: taken.with(failure), reason, died_at_ms: self.clock.now_ms() };
        self.write(queue, "dead", &self.new_name(), &letter.encode())?;
        self.ack(taken)
    }

    /// Under its old name a message is where it was: nobody has seen it. What is an entry already keeps its attempt.
    pub fn give_back(&self, queue: &str, taken: &Taken) -> Result<()> {
        if taken.is_body {
            return fs::rename(&taken.file, self.at(queue, "waiting").join(&taken.name));
        }
        self.delay(queue, &taken.name, &taken.entry, Duration::ZERO)?;
        self.ack(taken)
    }

    pub fn counts(&self, queue: &str) -> Result<Counts> {
        let count = |part| Ok::<_, Error>(files(&self.at(queue, part))?.len() as u64);
        let mut in_flight = 0;
        for process in files(&self.at(queue, "taken"))? {
            in_flight += files(&self.at(queue, "taken").join(process))?.len() as u64;
        }
        let mut dead = DeadCounts::default();
        for (_, letter) in self.letters(queue, &Letters::all())? {
            dead.add(&letter.reason, 1);
        }
        Ok(Counts::new(count("waiting")?, in_flight, count("delayed")?, dead))
    }

    /// Dead letters with the names of their files, the oldest first.
    pub fn letters(&self, queue: &str, which: &Letters) -> Result<Vec<(String, DeadLetter)>> {
        let mut letters = Vec::new();
        for file in files(&self.at(queue, "dead"))? {
            if letters.len() == which.most {
                break;
            }
            let letter = match fs::read(self.at(queue, "dead").join(&file)) {
                Ok(bytes) => DeadLetter::decode(&bytes).map_err(Error::other)?,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if which.holds(&letter) {
                letters.push((file, letter));
            }
        }
        Ok(letters)
    }

    pub fn purge(&self, queue: &str, file: &str) -> Result<()> {
        fs::remove_file(self.at(queue, "dead").join(file))
    }

    pub fn replay(&self, queue: &str, file: &str, letter: DeadLetter) -> Result<()> {
        let mut entry = letter.entry;
        entry.attempt = 1;
        self.delay(queue, file, &entry, Duration::ZERO)?;
        self.purge(queue, file)
    }

    fn delay(&self, queue: &str, name: &str, entry: &Entry, delay: Duration) -> Result<()> {
        // Rounded up, so that it never comes early.
        let wait =
            if delay.is_zero() { 0 } else { u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).saturating_add(1) };
        let due = self.clock.now_ms().saturating_add(wait);
        self.write(queue, "delayed", &format!("{due:020}~{name}"), &entry.encode())
    }

    fn write(&self, queue: &str, part: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.at(queue, part);
        let draft = folder.join(format!(".{}-{name}", self.process));
        fs::write(&draft, bytes)?;
        fs::rename(draft, folder.join(name))
    }

    fn new_name(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now().timestamp_micros().max(0);
        format!("{now:020}-{number:020}-{}", self.process)
    }

    fn mine(&self, queue: &str) -> PathBuf {
        self.at(queue, "taken").join(&*self.process)
    }

    fn at(&self, queue: &str, part: &str) -> PathBuf {
        self.folder.join(queue).join(part)
    }
}

impl Taken {
    fn with(&self, failure: Option<Failure>) -> Entry {
        let mut entry = self.entry.clone();
        failure.into_iter().for_each(|failure| entry.push_failure(failure));
        entry
    }
}

/// The names in a folder, in order. A folder that is not there yet is empty.
fn files(folder: &Path) -> Result<Vec<String>> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for file in found {
        let name = file?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
