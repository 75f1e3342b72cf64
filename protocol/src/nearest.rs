//! Which known word an unknown one was meant to be: for errors, when a package is built and when an agent starts.

/// The nearest known word, when it is near enough to be meant: a third of the letters may differ.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Longer ones are no slips of a finger, and the distance costs their square.
    const LONGEST: usize = 64;
    if word.chars().count() > LONGEST {
        return None;
    }
    let near = known.iter().map(|known| (distance(word, known), *known));
    let near = near.filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1));
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// How many letters must be put in, taken out or changed, or neighbours swapped, to make one word of the other. Case does
/// not count, nor does `-` for `_`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (plain(a), plain(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = last[j] + usize::from(x != y);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

fn plain(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).map(|letter| if letter == '-' { '_' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["host", "port", "max_size", "tls"];
        for (word, meant) in [("prot", "port"), ("hosts", "host"), ("maxSize", "max_size"), ("max-size", "max_size")] {
            assert_eq!(nearest(word, &known), Some(meant), "{word}");
        }
        for word in ["", "password", "x".repeat(1_000).as_str()] {
            assert_eq!(nearest(word, &known), None, "{word}");
        }
    }
}
