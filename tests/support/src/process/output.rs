//! What a program prints, gathered by a thread so that its pipe never fills.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// More than this is cut off, in bytes.
const LIMIT: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, Default)]
pub(super) struct Output(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    bytes: usize,
    ended: bool,
}

impl Output {
    pub(super) fn gather(pipe: Option<impl Read + Send + 'static>) -> Output {
        let output = Output::default();
        match pipe {
            Some(pipe) => {
                let filled = output.clone();
                thread::spawn(move || filled.fill(BufReader::new(pipe)));
            }
            None => output.lock().ended = true,
        }
        output
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    pub(super) fn ended(&self) -> bool {
        self.lock().ended
    }

    fn fill(&self, mut pipe: impl BufRead) {
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let mut lines = self.lock();
            if lines.bytes <= LIMIT {
                lines.bytes += line.len();
                let cut = lines.bytes > LIMIT;
                let text = String::from_utf8_lossy(&line);
                lines.lines.push(text.trim_end_matches(['\r', '\n']).to_owned());
                if cut {
                    lines.lines.push(format!("[cut off: more than {LIMIT} bytes]"));
                }
            }
            line.clear();
        }
        self.lock().ended = true;
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
