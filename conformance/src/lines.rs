//! What is logged by this thread.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;

/// The lines since [`Lines::gather`], in which adapters on the current thread say what happens to them.
pub(crate) struct Lines {
    text: Text,
    _gathering: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub fn gather(most: LevelFilter) -> Self {
        let text = Text::default();
        let writer = text.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_max_level(most).with_writer(move || writer.clone());
        Self { text, _gathering: tracing::subscriber::set_default(lines.finish()) }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.text().lines().count()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
