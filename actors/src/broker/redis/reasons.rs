use formicary_protocol::DeadReason;

use crate::contract::DeadCounts;

/// The reasons under which dead letters are counted beside their queue.
pub(super) const REASONS: [DeadReason; 6] = [
    DeadReason::Exhausted,
    DeadReason::Undecodable,
    DeadReason::Rejected,
    DeadReason::TooLarge,
    DeadReason::Expired,
    DeadReason::Refused,
];

/// All words, in the order of [`REASONS`], and last that for every other reason: a word that somebody else wrote must not
/// become a counter.
pub(super) const WORDS: [&str; 7] =
    ["exhausted", "undecodable", "rejected", "too large", "expired", "refused", "other"];

/// The word under which a reason is counted.
pub(super) fn word(reason: &DeadReason) -> &'static str {
    WORDS[REASONS.iter().position(|known| known == reason).unwrap_or(REASONS.len())]
}

/// Counts in the order of [`WORDS`].
pub(super) fn counts(of: &[u64]) -> DeadCounts {
    let mut counts = DeadCounts::default();
    for (at, letters) in of.iter().take(WORDS.len()).enumerate() {
        counts.add(REASONS.get(at).unwrap_or(&DeadReason::Other("".into())), *letters);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_word_and_its_count() {
        for (at, reason) in REASONS.iter().enumerate() {
            assert_eq!((word(reason), WORDS[at]), (WORDS[at], &*reason.to_string()));
        }
        assert_eq!(word(&DeadReason::Other("moon".into())), "other");
        let counts = counts(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((counts.undecodable, counts.other, counts.sum()), (2, 7, 28));
    }
}
