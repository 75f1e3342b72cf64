//! Patterns of parts, some of which stand for any run of parts.

/// What one part of a pattern stands for.
pub(crate) enum Part<T> {
    /// Itself.
    Same(T),
    /// Any one.
    Any,
    /// Any number of them, also none.
    Run,
}

/// Whether a pattern stands for these parts. It takes no more steps than one length times the other, whatever the pattern.
pub(crate) fn stands_for<T: PartialEq>(pattern: &[Part<T>], parts: &[T]) -> bool {
    let (mut at, mut next) = (0, 0);
    // Behind the last run that was met, and the first part that it does not hold: it may have to hold more.
    let mut last_run = None;
    while next < parts.len() {
        match pattern.get(at) {
            Some(Part::Run) => {
                at += 1;
                last_run = Some((at, next));
            }
            Some(Part::Any) => (at, next) = (at + 1, next + 1),
            Some(Part::Same(part)) if *part == parts[next] => (at, next) = (at + 1, next + 1),
            _ => {
                let Some((behind, first)) = last_run else { return false };
                last_run = Some((behind, first + 1));
                (at, next) = (behind, first + 1);
            }
        }
    }
    pattern[at..].iter().all(|part| matches!(part, Part::Run))
}
