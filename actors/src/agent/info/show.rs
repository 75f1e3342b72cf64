//! Info for people: aligned, compact, and without what is as usual.

use std::fmt;
use std::time::Duration;

use super::{AgentInfo, HandlerCounts, HandlerInfo};
use crate::agent::{Overlap, Turn};

/// Lines of columns under each other.
#[derive(Default)]
pub(crate) struct Rows(Vec<Vec<String>>);

impl Rows {
    pub(crate) fn add<const N: usize>(&mut self, columns: [String; N]) {
        self.0.push(columns.into());
    }

    /// Writes them, each on a line of its own and behind so many spaces.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width = |at: usize| self.0.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max();
        let widths: Vec<_> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
        for row in &self.0 {
            let line: String = row
                .iter()
                .zip(&widths)
                .filter(|(_, width)| **width > 0)
                .map(|(text, &n)| format!("{text:n$}  "))
                .collect();
            write!(f, "\n{:indent$}{}", "", line.trim_end())?;
        }
        Ok(())
    }
}

/// A time in seconds, with its unit.
pub(crate) fn span(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| format!("{seconds}s"), |time| format!("{time:?}"))
}

/// The counts that are not 0, with their words.
pub(crate) fn nonzero<'a>(counts: impl IntoIterator<Item = (u64, &'a str)>) -> String {
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for HandlerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handled, failed, panicked, cut_off, dropped, running, waiting } = *self;
        f.write_str(&nonzero([
            (handled, "handled"),
            (failed, "failed"),
            (panicked, "panicked"),
            (cut_off, "cut off"),
            (dropped, "dropped"),
            (running, "running"),
            (waiting, "waiting"),
        ]))
    }
}

impl fmt::Display for AgentInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, uid {})", self.name, self.type_name, self.uid)?;
        self.rows().write(f, 2)
    }
}

impl AgentInfo {
    /// All that it is beside its name, type and uid.
    pub(crate) fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for link in self.buses.iter().chain(&self.brokers) {
            rows.add(["on".to_owned(), link.clone()]);
        }
        for receiver in &self.receivers {
            let at_once = format!("{} at once", receiver.concurrency);
            let how = [Some(at_once), rate(receiver.rate)];
            add(&mut rows, "receives", &receiver.handler, receiver.signals.join(", "), how);
        }
        for consumer in &self.consumers {
            let at_once = format!("{} at once", consumer.concurrency);
            let how = [Some(at_once), rate(consumer.rate)];
            add(&mut rows, "consumes", &consumer.handler, consumer.queue.clone(), how);
        }
        for timer in &self.periodic {
            add(&mut rows, "runs", &timer.handler, timer.when(), [overlap(timer.overlap), None]);
        }
        for timer in &self.cron {
            let next = timer.next.as_ref().map(|next| format!("next {next}"));
            add(&mut rows, "runs", &timer.handler, timer.when(), [next, overlap(timer.overlap)]);
        }
        for hook in &self.hooks {
            add(&mut rows, "hook", &hook.handler, hook.on.to_owned(), [None, None]);
        }
        for server in &self.servers {
            add(&mut rows, "serves", server, String::new(), [None, None]);
        }
        for output in &self.outputs {
            rows.add([output.verb.to_owned(), output.handler.clone(), output.name.clone()]);
        }
        for (key, kind) in &self.settings {
            rows.add(["setting".to_owned(), key.clone(), (*kind).to_owned()]);
        }
        let flags = &self.flags;
        let parts = [
            (flags.signals, "signals"),
            (flags.messages, "messages"),
            (flags.timers, "timers"),
            (flags.servers, "servers"),
        ];
        for (_, part) in parts.iter().filter(|(on, _)| !on) {
            rows.add(["without".to_owned(), (*part).to_owned()]);
        }
        rows
    }
}

fn add(rows: &mut Rows, verb: &str, handler: &HandlerInfo, what: String, how: [Option<String>; 2]) {
    let turn = match handler.turn {
        Turn::Write => Some("alone".to_owned()),
        Turn::None if handler.blocking => Some("blocking".to_owned()),
        Turn::Read | Turn::None => None,
    };
    let layers = (handler.layers > 0).then(|| format!("{} layers", handler.layers));
    let how: Vec<_> = how.into_iter().chain([turn, layers]).flatten().collect();
    rows.add([verb.to_owned(), handler.name.clone(), what, how.join(", "), handler.counts.to_string()]);
}

fn rate(rate: Option<u32>) -> Option<String> {
    rate.map(|rate| format!("{rate}/s"))
}

fn overlap(overlap: Overlap) -> Option<String> {
    match overlap {
        Overlap::Skip => None,
        Overlap::Queue => Some("overlap queue".to_owned()),
        Overlap::Allow => Some("overlap allow".to_owned()),
    }
}
