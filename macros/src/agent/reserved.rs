//! Options that have a meaning elsewhere, or later.

use super::kind::Word;
use crate::options::Options;
use crate::problems::Problems;

const SETTLEMENT: [&str; 5] = ["retry", "dead_letter", "dedup", "on_exhausted", "by"];

/// Notes such options, and takes them away.
pub(super) fn refuse(options: &mut Options, word: Word, problems: &mut Problems) {
    let names: Vec<_> = options.names().cloned().collect();
    for name in names {
        let text = name.to_string();
        let settlement = SETTLEMENT.contains(&text.as_str());
        let problem = match word {
            _ if text == "blocking" => "blocking handlers come with a later version".to_owned(),
            Word::Consumer if settlement || text == "rate" => {
                format!("`{text}` comes with the queues release")
            }
            Word::Receiver if settlement => {
                format!(
                    "`{text}` belongs to queues: retry, dedup and dead letter need a #[consumer]; a signal comes at most once"
                )
            }
            _ => continue,
        };
        problems.at(&name, problem);
        options.discard(&name);
    }
}
