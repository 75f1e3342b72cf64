//! Options that one kind of handler has and others have not.

use super::kind::Word;
use crate::options::Options;
use crate::problems::Problems;

const SETTLEMENT: [&str; 6] = ["retry", "dead_letter", "dedup", "on_exhausted", "by", "batch"];

const FILTER: &str = "`filter` belongs to receivers: a message that no handler took would be lost. Give the queue `exchange` and \
                      `topics`, or return `Ok` for what is not meant";

/// Notes such options, and those of receivers on a consumer, and takes them away.
pub(super) fn refuse(options: &mut Options, word: Word, problems: &mut Problems) {
    let why = match word {
        Word::Receiver => "retry, dedup and dead letter need a #[consumer]; a signal comes at most once",
        Word::Periodic | Word::Cron => "what has failed runs again at its next time",
        Word::Consumer => return filter(options, problems),
        _ => return,
    };
    let names: Vec<_> = options.names().cloned().collect();
    for name in names.into_iter().filter(|name| SETTLEMENT.iter().any(|reserved| name == reserved)) {
        problems.at(&name, format!("`{name}` belongs to queues: {why}"));
        options.discard(&name);
    }
}

fn filter(options: &mut Options, problems: &mut Problems) {
    let filter = options.names().find(|name| *name == "filter").cloned();
    if let Some(name) = filter {
        problems.at(&name, FILTER);
        options.discard(&name);
    }
}
