//! The terminal: drawn in place, with the last log lines below; left as it was found.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many log lines are kept for the space below the table.
const KEPT: usize = 100;
/// So many of them stay behind at the end.
const LEFT_BEHIND: usize = 8;

/// The other screen, no cursor, no wrapping.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    Plain,
    Bold,
    Dim,
    Alarm,
}

/// One line of the table.
pub type Row = (Look, String);

pub struct Screen {
    terminal: bool,
    color: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Log lines wait until the start has succeeded.
    held: bool,
    entered: bool,
    lines: VecDeque<String>,
    table: Vec<Row>,
}

impl Screen {
    pub fn new(terminal: bool) -> Self {
        let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, color, state: Mutex::default() }
    }

    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// From now on log lines are kept back: a start that fails says so in one line of its own.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Writes what was kept back, unless it has its place below the table.
    pub fn release(&self) {
        let mut state = self.state();
        state.held = false;
        if !state.entered {
            state.lines.drain(..).for_each(|line| print(&(line + "\n")));
        }
    }

    /// From now on the screen belongs to the table.
    pub fn enter(&self) {
        self.state().entered = true;
        print(ENTER);
    }

    /// Gives the terminal back, with the last table and the last log lines on it. Doing it twice is fine.
    pub fn leave(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.entered) {
            let (width, _) = size();
            let last = state.lines.len().saturating_sub(LEFT_BEHIND);
            let table = state.table.iter().map(|row| self.line(row, width) + "\r\n");
            // Here a long line may wrap.
            let lines = state.lines.iter().skip(last).map(|line| format!("{line}\r\n"));
            print(&format!("{LEAVE}{}", table.chain(lines).collect::<String>()));
        }
    }

    /// Draws the table, and the latest log lines where there is room.
    pub fn draw(&self, table: Vec<Row>) {
        let mut state = self.state();
        state.table = table;
        if !state.entered {
            return;
        }
        let (width, height) = size();
        let room = height.saturating_sub(state.table.len() + 1);
        let last = state.lines.len().saturating_sub(room);
        let rule = (Look::Dim, "─".repeat(width));
        let lines = state.lines.iter().skip(last).map(|line| (Look::Plain, line.clone()));
        let rows = state.table.iter().cloned().chain([rule]).chain(lines);
        let rows: Vec<_> = rows.take(height).map(|row| self.line(&row, width) + "\x1b[K").collect();
        print(&format!("\x1b[H{}\x1b[J", rows.join("\r\n")));
    }

    /// Takes a log line: kept for the space below the table, or written to stderr.
    pub fn log(&self, line: &str) {
        let mut state = self.state();
        if !state.entered && !state.held {
            return print(line);
        }
        if state.lines.len() == KEPT {
            state.lines.pop_front();
        }
        state.lines.push_back(line.trim_end().chars().filter(|letter| !letter.is_control()).collect());
    }

    fn line(&self, (look, text): &Row, width: usize) -> String {
        let text: String = text.chars().take(width).collect();
        let code = match look {
            _ if !self.color => return text,
            Look::Plain => return text,
            Look::Bold => 1,
            Look::Dim => 2,
            Look::Alarm => 31,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Columns and lines.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// A terminal that is gone takes nothing, which must not end the cluster.
fn print(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
