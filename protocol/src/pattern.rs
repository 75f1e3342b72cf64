//! Patterns of signals: one text that stands for several names.
//!
//! `*` is any run of characters, also none, `?` is any one character, and everything else is itself. No name of a signal can
//! hold either, so a text says by itself whether it is a name or a pattern.

use crate::glob::{Part, stands_for};

/// Whether a text is a pattern, and not the name of a signal.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a pattern stands for a name.
///
/// ```
/// use formicary_protocol::pattern_matches;
///
/// assert!(pattern_matches("user_*", "user_created"));
/// assert!(pattern_matches("*", "audit"));
/// assert!(!pattern_matches("user_?", "user_created"));
/// ```
#[must_use]
pub fn pattern_matches(pattern: &str, name: &str) -> bool {
    stands_for(&parts(pattern), &name.chars().collect::<Vec<_>>())
}

fn parts(pattern: &str) -> Vec<Part<char>> {
    pattern
        .chars()
        .map(|letter| match letter {
            '*' => Part::Run,
            '?' => Part::Any,
            letter => Part::Same(letter),
        })
        .collect()
}

/// The name that a pattern nearly stands for: a third of its letters may differ. For the text of an error.
#[must_use]
pub fn nearest_to_pattern<'n>(pattern: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // The distance costs the square, and what is longer is no slip of a finger.
    const LONGEST: usize = 64;
    let parts = parts(pattern);
    let letters = parts.iter().filter(|part| matches!(part, Part::Same(_))).count();
    let names = names.into_iter().filter(|name| parts.len() <= LONGEST && name.chars().count() <= LONGEST);
    let near = names.map(|name| (distance(&parts, name), name));
    near.filter(|(distance, _)| *distance <= (letters / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|near| near.1)
}

/// How many letters must be put in, taken out or changed until the pattern stands for the name.
fn distance(pattern: &[Part<char>], name: &str) -> usize {
    let name: Vec<_> = name.chars().collect();
    let mut last: Vec<usize> = (0..=name.len()).collect();
    for part in pattern {
        let is_run = matches!(part, Part::Run);
        let mut row = vec![last[0] + usize::from(!is_run)];
        for (at, letter) in name.iter().enumerate() {
            let least = match part {
                Part::Run => last[at + 1].min(row[at]),
                Part::Any => last[at].min(last[at + 1] + 1).min(row[at] + 1),
                Part::Same(same) => (last[at] + usize::from(same != letter)).min(last[at + 1] + 1).min(row[at] + 1),
            };
            row.push(least);
        }
        last = row;
    }
    last[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_the_pattern_was_meant_for() {
        let names = ["user_created", "user_deleted", "audit"];
        for (pattern, meant) in [("usr_*", "user_created"), ("*_delted", "user_deleted"), ("audi?s", "audit")] {
            assert_eq!(nearest_to_pattern(pattern, names), Some(meant), "{pattern}");
        }
        for pattern in ["order_*", "??", &"u".repeat(1_000)] {
            assert_eq!(nearest_to_pattern(pattern, names), None, "{pattern}");
        }
    }
}
