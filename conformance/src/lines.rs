//! What is logged, by an adapter and by everything that it stands on.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::filter::LevelFilter;

static LINES: OnceLock<Lines> = OnceLock::new();

/// The lines of the whole process since [`Lines::gather`]; for cases in a process of their own.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Gathers what `tracing` and `log` bring from now on, on every thread.
    pub(crate) fn gather(most: LevelFilter) -> &'static Lines {
        let lines = LINES.get_or_init(Lines::default);
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt().with_ansi(false).with_max_level(most);
        layer.with_writer(move || writer.clone()).try_init().unwrap_or_else(|error| panic!("the log: {error}"));
        log::set_logger(lines).unwrap_or_else(|error| panic!("the log: {error}"));
        log::set_max_level(if most == LevelFilter::TRACE { log::LevelFilter::Trace } else { log::LevelFilter::Warn });
        lines
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Those that hold all of these.
    pub(crate) fn with(&self, parts: &[&str]) -> Vec<String> {
        let all = self.text();
        all.lines().filter(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned).collect()
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: Arguments<'_>) {
        writeln!(self.bytes(), "{line}").ok();
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.add(format_args!("{} {}: {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}
