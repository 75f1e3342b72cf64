//! What is logged by the whole process: by an adapter and by everything that it stands on.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::filter::LevelFilter;

static LINES: OnceLock<AllLines> = OnceLock::new();

/// The lines of the whole process since [`AllLines::gather`]; for cases in a process of their own.
#[derive(Clone, Default)]
pub(crate) struct AllLines(Arc<Mutex<Vec<u8>>>);

impl AllLines {
    /// Gathers what `tracing` and `log` bring from now on, on every thread.
    pub(crate) fn gather(most: LevelFilter) -> &'static AllLines {
        let lines = LINES.get_or_init(AllLines::default);
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

impl Write for AllLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for AllLines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.add(format_args!("{} {}: {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}
