//! Options that have a meaning elsewhere, or later.

use super::kind::Word;
use crate::options::Options;
use crate::problems::Problems;

const SETTLEMENT: [&str; 5] = ["retry", "dead_letter", "dedup", "on_exhausted", "by"];

/// Notes such options, and takes them away.
pub(super) fn refuse(options: &mut Options, word: Word, problems: &mut Problems) {
    let names: Vec<_> = options.names().cloned().collect();
    for name in names.into_iter().filter(|name| SETTLEMENT.iter().any(|reserved| name == reserved)) {
        let problem = match word {
            Word::Consumer => format!("`{name}` comes with the queues release"),
            Word::Receiver => format!(
                "`{name}` belongs to queues: retry, dedup and dead letter need a #[consumer]; a signal comes at most once"
            ),
            _ => continue,
        };
        problems.at(&name, problem);
        options.discard(&name);
    }
}
