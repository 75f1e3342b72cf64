use formicary_protocol::{DeadLetter, DeadReason};

/// Which dead letters of a queue are meant. The default: all of them.
///
/// ```
/// use formicary_actors::contract::Letters;
/// use formicary_protocol::DeadReason;
///
/// let the_oldest_ten_that_failed = Letters::of(DeadReason::Exhausted).oldest(10);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Letters {
    /// Only those with this reason.
    pub reason: Option<DeadReason>,
    /// So many at most, the oldest first.
    pub most: usize,
}

impl Default for Letters {
    fn default() -> Self {
        Self { reason: None, most: usize::MAX }
    }
}

impl Letters {
    /// All of them.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those with one reason.
    pub fn of(reason: DeadReason) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }

    /// So many at most, the oldest first.
    #[must_use]
    pub fn oldest(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Whether a letter is one of them, as far as its reason says.
    pub fn holds(&self, letter: &DeadLetter) -> bool {
        self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
    }
}
