use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use formicary_protocol::Bytes;

use super::Settled;

/// What a double was asked to do, in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    forgotten: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) what: What,
    /// The signal or the queue.
    pub(super) name: Arc<str>,
    /// Who asked: an agent, or the handler that consumes.
    pub(super) by: Arc<str>,
    pub(super) body: Bytes,
}

#[derive(Debug)]
pub(super) enum What {
    Sent,
    NotSent(String),
    Called(String),
    Subscribed,
    Unsubscribed,
    Pushed,
    PushedOnAck,
    NotPushed(String),
    Consumes,
    Cancelled,
    Settled(Settled),
}

/// More than a test looks at; a loop that never ends must not fill the memory. The first are forgotten.
const MOST: usize = 100_000;
/// What a panic shows: the last ones.
const SHOWN: usize = 50;
/// How much of a body a line shows, in characters.
const WIDE: usize = 200;

impl Ledger {
    pub(super) fn add(&mut self, what: What, name: &Arc<str>, by: &Arc<str>, body: &Bytes) {
        if self.entries.len() >= MOST {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        self.entries.push_back(Entry { what, name: name.clone(), by: by.clone(), body: body.clone() });
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.entries.iter().map(Entry::to_string).collect()
    }

    /// How many there were, the forgotten ones included.
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.forgotten
    }
}

impl fmt::Display for Ledger {
    /// For the text of a panic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return f.write_str("  nothing");
        }
        let first = self.entries.len().saturating_sub(SHOWN);
        let earlier = first + self.forgotten;
        if earlier > 0 {
            writeln!(f, "  … {earlier} before")?;
        }
        for (at, entry) in self.entries.iter().enumerate().skip(first) {
            let end = if at + 1 == self.entries.len() { "" } else { "\n" };
            write!(f, "  {}. {entry}{end}", at + self.forgotten + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, by, body } = self;
        let body = Shown(body);
        match what {
            What::Sent => write!(f, "{by} sent `{name}` {body}"),
            What::NotSent(why) => write!(f, "{by} could not send `{name}` {body}: {why}"),
            What::Called(how) => write!(f, "{by} called `{name}` {body}: {how}"),
            What::Subscribed => write!(f, "subscribed to `{name}`"),
            What::Unsubscribed => write!(f, "unsubscribed from `{name}`"),
            What::Pushed => write!(f, "pushed to `{name}` {body}"),
            What::PushedOnAck => write!(f, "pushed to `{name}` {body}, with the acknowledgement of {by}"),
            What::NotPushed(why) => write!(f, "could not push to `{name}` {body}: {why}"),
            What::Consumes => write!(f, "{by} consumes `{name}`"),
            What::Cancelled => write!(f, "{by} consumes `{name}` no more"),
            What::Settled(settled) => write!(f, "{by} settled `{name}` {body}: {settled}"),
        }
    }
}

/// A body as people read it: its text, cut.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let mut letters = text.chars();
        for letter in letters.by_ref().take(WIDE) {
            // A control character would spoil the report.
            match letter.is_control() {
                true => write!(f, "{}", letter.escape_default())?,
                false => write!(f, "{letter}")?,
            }
        }
        match letters.count() {
            0 => Ok(()),
            more => write!(f, "… ({more} more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_bounded_and_numbered_from_the_first() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.to_string(), "  nothing");
        let name: Arc<str> = "jobs".into();
        for n in 0..SHOWN + 3 {
            ledger.add(What::Pushed, &name, &"".into(), &Bytes::from(n.to_string()));
        }
        let report = ledger.to_string();
        assert_eq!(report.lines().next(), Some("  … 3 before"));
        assert_eq!(report.lines().nth(1), Some("  4. pushed to `jobs` 3"));
        assert_eq!(report.lines().count(), SHOWN + 1);
    }

    #[test]
    fn a_long_body_is_cut() {
        let body = format!("{}\n", "ä".repeat(WIDE + 7));
        assert_eq!(Shown(body.as_bytes()).to_string(), format!("{}… (8 more)", "ä".repeat(WIDE)));
        assert_eq!(Shown(b"a\nb").to_string(), "a\\nb");
    }
}
