use formicary_protocol::DeadReason;
use serde::Serialize;

/// What a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were delivered and are not settled, of all consumers of the queue, in every process.
    pub in_flight: u64,
    /// Messages that wait for the end of a delay.
    pub delayed: u64,
    /// Dead letters.
    pub dead: u64,
    /// The dead letters by their reasons.
    pub dead_by: DeadCounts,
}

/// Dead letters by their reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadCounts {
    /// The last attempt failed.
    pub exhausted: u64,
    /// The body is not what the queue's messages are.
    pub undecodable: u64,
    /// The body was read, and a check in mode `reject` refused it.
    pub rejected: u64,
    /// The body is larger than the limit.
    pub too_large: u64,
    /// The message's time was over before a handler had it.
    pub expired: u64,
    /// The handler said that another attempt is of no use.
    pub refused: u64,
    /// What this version does not know.
    pub other: u64,
}

impl Counts {
    /// Counts from their parts; the dead letters are the sum of their reasons.
    pub fn new(waiting: u64, in_flight: u64, delayed: u64, dead_by: DeadCounts) -> Self {
        Self { waiting, in_flight, delayed, dead: dead_by.sum(), dead_by }
    }

    /// What is still to be handled: waiting, in flight and delayed.
    pub fn left(&self) -> u64 {
        self.waiting + self.in_flight + self.delayed
    }
}

impl DeadCounts {
    /// Adds letters of one reason.
    pub fn add(&mut self, reason: &DeadReason, letters: u64) {
        *(match reason {
            DeadReason::Exhausted => &mut self.exhausted,
            DeadReason::Undecodable => &mut self.undecodable,
            DeadReason::Rejected => &mut self.rejected,
            DeadReason::TooLarge => &mut self.too_large,
            DeadReason::Expired => &mut self.expired,
            DeadReason::Refused => &mut self.refused,
            _ => &mut self.other,
        }) += letters;
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        let Self { exhausted, undecodable, rejected, too_large, expired, refused, other } = *self;
        exhausted + undecodable + rejected + too_large + expired + refused + other
    }
}
