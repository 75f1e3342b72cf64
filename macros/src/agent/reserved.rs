//! Options of consumers that others do not have.

use super::kind::Word;
use crate::options::Options;
use crate::problems::Problems;

const SETTLEMENT: [&str; 6] = ["retry", "dead_letter", "dedup", "on_exhausted", "by", "batch"];

/// Notes such options, and takes them away.
pub(super) fn refuse(options: &mut Options, word: Word, problems: &mut Problems) {
    let why = match word {
        Word::Receiver => "retry, dedup and dead letter need a #[consumer]; a signal comes at most once",
        Word::Periodic | Word::Cron => "what has failed runs again at its next time",
        _ => return,
    };
    let names: Vec<_> = options.names().cloned().collect();
    for name in names.into_iter().filter(|name| SETTLEMENT.iter().any(|reserved| name == reserved)) {
        problems.at(&name, format!("`{name}` belongs to queues: {why}"));
        options.discard(&name);
    }
}
