//! Patterns of signals become the signals that are declared, when an agent starts or its receivers change. So every bus can
//! do it, and a signal that is not declared stays bad input.

use std::collections::BTreeSet;
use std::sync::Arc;

use formicary_protocol::pattern::nearest_to_pattern;
use formicary_protocol::{Declarations, is_pattern, pattern_matches};

use super::plan::ReceiverPlan;

/// Puts declared names in the place of patterns, each name once. What is returned are the problems.
pub(crate) fn expand<A>(receivers: &mut [ReceiverPlan<A>], declarations: &Declarations) -> Vec<String> {
    let mut problems = Vec::new();
    for ReceiverPlan { handler, signals, patterns, .. } in receivers {
        let mut names: Vec<Arc<str>> = Vec::with_capacity(signals.len());
        for text in signals.drain(..) {
            if !is_pattern(&text) {
                names.push(text);
                continue;
            }
            let before = names.len();
            let declared = declarations.signals().map(|signal| &*signal.name);
            names.extend(declared.filter(|name| pattern_matches(&text, name)).map(Arc::from));
            if names.len() == before {
                problems.push(unmatched(&handler.name, &text, declarations));
            }
            patterns.push(text);
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        *signals = names;
    }
    problems
}

fn unmatched(handler: &str, pattern: &str, declarations: &Declarations) -> String {
    let names = declarations.signals().map(|signal| &*signal.name);
    let cure = match nearest_to_pattern(pattern, names) {
        Some(near) => format!("the nearest is `{near}`"),
        None => "add one to the declarations, or correct the pattern".to_owned(),
    };
    format!("`{handler}` receives `{pattern}`, which stands for no declared signal: {cure}")
}
