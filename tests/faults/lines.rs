//! What is logged, by us and by everything that we stand on.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::filter::LevelFilter;

static LINES: OnceLock<Lines> = OnceLock::new();

/// The lines of the whole process since [`Lines::gather`]; for tests in a process of their own.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Gathers what `tracing` and `log` bring from now on, on every thread.
    pub fn gather(most: LevelFilter) -> &'static Lines {
        let lines = LINES.get_or_init(Lines::default);
        let writer = lines.clone();
        tracing_subscriber::fmt().with_ansi(false).with_max_level(most).with_writer(move || writer.clone()).init();
        log::set_logger(lines).unwrap();
        log::set_max_level(if most == LevelFilter::TRACE { log::LevelFilter::Trace } else { log::LevelFilter::Warn });
        lines
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// How many lines hold all of these.
    pub fn with(&self, parts: &[&str]) -> usize {
        self.text().lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }

    fn add(&self, line: Arguments<'_>) {
        writeln!(self.0.lock().unwrap(), "{line}").unwrap();
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
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
