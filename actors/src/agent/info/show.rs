//! Info for people: aligned, compact, and without what is as usual.

use std::fmt;
use std::time::Duration;

use super::{AgentInfo, ConsumerInfo, HandlerCounts, HandlerInfo};
use crate::Retry;
use crate::agent::{Overlap, StartFlags, Turn};

/// Lines of columns under each other.
#[derive(Default)]
pub(crate) struct Rows(Vec<Row>);

struct Row {
    columns: Vec<String>,
    /// What comes behind the columns and makes none wider.
    rest: String,
}

impl Rows {
    pub(crate) fn add<const N: usize>(&mut self, columns: [String; N]) {
        self.0.push(Row { columns: columns.into(), rest: String::new() });
    }

    /// A word and a text of any length.
    pub(crate) fn add_wide(&mut self, word: &str, text: String) {
        self.0.push(Row { columns: vec![word.to_owned()], rest: text });
    }

    /// Writes them, each on a line of its own and behind so many spaces. A column that is empty in all rows has no place.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let mut widths = Vec::new();
        for row in &self.0 {
            widths.resize(widths.len().max(row.columns.len()), 0);
            for (width, text) in widths.iter_mut().zip(&row.columns) {
                *width = text.chars().count().max(*width);
            }
        }
        for row in &self.0 {
            let mut line = String::new();
            for (text, &width) in row.columns.iter().zip(&widths).filter(|(_, width)| **width > 0) {
                line += &format!("{text:width$}  ");
            }
            line += &row.rest;
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
        let Self { handled, failed, panicked, cut_off, dropped, filtered, running, waiting } = *self;
        f.write_str(&nonzero([
            (handled, "handled"),
            (failed, "failed"),
            (panicked, "panicked"),
            (cut_off, "cut off"),
            (dropped, "dropped"),
            (filtered, "filtered"),
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
        let links: Vec<_> = self.buses.iter().chain(&self.brokers).map(String::as_str).collect();
        if !links.is_empty() {
            rows.add_wide("on", links.join(", "));
        }
        for receiver in &self.receivers {
            let at_once = format!("{} at once", receiver.concurrency);
            let patterns = (!receiver.patterns.is_empty()).then(|| format!("by {}", receiver.patterns.join(", ")));
            let filter = receiver.filter.then(|| "filtered".to_owned());
            let how = [Some(at_once), rate(receiver.rate), patterns, filter];
            add(&mut rows, "receives", &receiver.handler, receiver.signals.join(", "), how.into());
        }
        for consumer in &self.consumers {
            let at_once = format!("{} at once", consumer.concurrency);
            let batches = consumer.batch.as_ref().map(|batch| format!("batches of {}", batch.most));
            let how = [Some(at_once), batches, rate(consumer.rate)].into_iter().chain(policy(consumer)).collect();
            add(&mut rows, "consumes", &consumer.handler, consumer.queue.clone(), how);
        }
        for timer in &self.periodic {
            add(&mut rows, "runs", &timer.handler, timer.when(), vec![overlap(timer.overlap)]);
        }
        for timer in &self.cron {
            let next = timer.next.as_ref().map(|next| format!("next {next}"));
            add(&mut rows, "runs", &timer.handler, timer.when(), vec![next, overlap(timer.overlap)]);
        }
        for hook in &self.hooks {
            add(&mut rows, "hook", &hook.handler, hook.on.to_owned(), Vec::new());
        }
        for server in &self.servers {
            add(&mut rows, "serves", server, String::new(), Vec::new());
        }
        for output in &self.outputs {
            rows.add([output.verb.to_owned(), output.handler.clone(), output.name.clone()]);
        }
        if !self.settings.is_empty() {
            let settings: Vec<_> = self.settings.iter().map(|(key, kind)| format!("{key} ({kind})")).collect();
            rows.add_wide("settings", settings.join(", "));
        }
        let StartFlags { signals, messages, timers, servers } = self.flags;
        let parts = [(signals, "signals"), (messages, "messages"), (timers, "timers"), (servers, "servers")];
        let without: Vec<_> = parts.into_iter().filter(|(on, _)| !on).map(|(_, part)| part).collect();
        if !without.is_empty() {
            rows.add_wide("without", without.join(", "));
        }
        rows
    }
}

fn add(rows: &mut Rows, verb: &str, handler: &HandlerInfo, what: String, how: Vec<Option<String>>) {
    let turn = match handler.turn {
        Turn::Write => Some("write turn".to_owned()),
        Turn::None if handler.blocking => Some("blocking".to_owned()),
        Turn::Read | Turn::None => None,
    };
    let layers = match handler.layers {
        0 => None,
        1 => Some("1 layer".to_owned()),
        layers => Some(format!("{layers} layers")),
    };
    let how: Vec<_> = how.into_iter().chain([turn, layers]).flatten().collect();
    rows.add([verb.to_owned(), handler.name.clone(), what, handler.counts.to_string(), how.join(", ")]);
}

/// What of a consumer's policy is not as usual.
fn policy(consumer: &ConsumerInfo) -> [Option<String>; 4] {
    let ConsumerInfo { retry, ordered, dedup, dead_letter, .. } = consumer;
    let attempts = match retry.attempts {
        1 => Some("1 attempt".to_owned()),
        attempts => (*retry != Retry::default().info()).then(|| format!("{attempts} attempts")),
    };
    [
        attempts,
        ordered.then(|| "by key".to_owned()),
        dedup.as_ref().map(|dedup| format!("once in {}", span(dedup.window))),
        (!dead_letter).then(|| "no dead letters".to_owned()),
    ]
}

fn rate(rate: Option<u32>) -> Option<String> {
    rate.map(|rate| format!("{rate}/s"))
}

fn overlap(overlap: Overlap) -> Option<String> {
    match overlap {
        Overlap::Skip => None,
        Overlap::Queue => Some("queues".to_owned()),
        Overlap::Allow => Some("overlaps".to_owned()),
    }
}
