//! Several documents in one registry.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;

use super::{Argument, Declarations, QueueDeclaration, SignalDeclaration, exchanges};
use crate::Error;

pub(super) fn merge(declarations: &mut Declarations, other: Declarations) -> Result<(), Error> {
    let mut merged = declarations.clone();
    let mut problems = Vec::new();
    match (&declarations.default_prefix, other.default_prefix) {
        (Some(ours), Some(theirs)) if *ours != theirs => {
            problems.push(format!("default_prefix is {:?} and {:?}", ours.as_str(), theirs.as_str()));
        }
        (None, theirs) => merged.default_prefix = theirs,
        _ => {}
    }
    for (name, signal) in other.signals {
        problems.extend(add(&mut merged.signals, &name, signal));
    }
    for (name, queue) in other.queues {
        problems.extend(add(&mut merged.queues, &name, queue));
    }
    if problems.is_empty() {
        problems = exchanges::contradictions(&merged.queues);
    }
    if problems.is_empty() {
        *declarations = merged;
        Ok(())
    } else {
        Err(Error::Conflict { problems })
    }
}

/// Adds one declaration; what comes back is the contradiction with the one that is there.
pub(super) fn add<D: Same>(known: &mut BTreeMap<String, D>, name: &str, new: D) -> Option<String> {
    match known.entry(name.to_owned()) {
        Entry::Vacant(vacant) => {
            vacant.insert(new);
            None
        }
        Entry::Occupied(old) if old.get().same(&new) => None,
        Entry::Occupied(old) => Some(format!(
            "{} {name:?} is declared twice, as {} and as {new}: remove one, or make them equal",
            D::WHAT,
            old.get()
        )),
    }
}

/// Whether two declarations say the same; arguments may stand in another order.
pub(super) trait Same: Display {
    const WHAT: &'static str;

    fn same(&self, other: &Self) -> bool;
}

impl Same for SignalDeclaration {
    const WHAT: &'static str = "signal";

    fn same(&self, other: &Self) -> bool {
        self.answer == other.answer && sorted(&self.arguments) == sorted(&other.arguments)
    }
}

impl Same for QueueDeclaration {
    const WHAT: &'static str = "queue";

    fn same(&self, other: &Self) -> bool {
        self.exchange == other.exchange
            && self.topics == other.topics
            && self.message.as_deref().map(sorted) == other.message.as_deref().map(sorted)
    }
}

fn sorted(arguments: &[Argument]) -> Vec<&Argument> {
    let mut sorted: Vec<_> = arguments.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    sorted
}
