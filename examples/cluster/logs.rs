//! Log lines: to stderr, and on a terminal below the table.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::SystemTime;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::apart;
use crate::table::Screen;

/// Where log lines go.
#[derive(Clone)]
pub struct Logs(Arc<Screen>);

/// Installs the logger. `RUST_LOG` sets the level; the default is `info`.
pub fn install() -> Logs {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let logs = Logs(Arc::new(Screen::new(io::stderr().is_terminal() && !dumb)));
    // Who asks for a level wants to see every line at once.
    if std::env::var_os("RUST_LOG").is_none() {
        logs.0.hold();
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(false);
    match logs.0.is_terminal() || apart::is_below_table() {
        // A line below the table has no room for a date.
        true => lines.with_timer(Clock).with_writer(logs.clone()).init(),
        false => lines.with_writer(logs.clone()).init(),
    }
    logs
}

/// The time of day, UTC.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%H:%M:%S"))
    }
}

impl Logs {
    pub fn screen(&self) -> Arc<Screen> {
        self.0.clone()
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// One line: the logger writes it in one piece.
pub struct Line<'a>(&'a Screen);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.log(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
