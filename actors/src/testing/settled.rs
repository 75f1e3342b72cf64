use std::fmt;

use formicary_protocol::DeadReason;

use crate::contract::Outcome;

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The queue.
    pub queue: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// One of the four outcomes.
    pub outcome: Outcome,
    /// What the handler said went wrong; of a panic `panic: ` and its text.
    pub error: Option<String>,
    /// Another message with its key was acknowledged within the window of `dedup`: what it would have sent was not.
    pub repeated: bool,
    /// The message was not the consumer's any more: the outcome was not applied.
    pub late: bool,
}

impl Settled {
    /// That it was acknowledged.
    ///
    /// # Panics
    /// When it was not, with what it was.
    #[track_caller]
    pub fn assert_acked(&self) {
        assert!(
            self.outcome == Outcome::Ack,
            "expected the message of `{}` to be acknowledged; it was {self}",
            self.queue
        );
    }

    /// That it comes back. Returns what went wrong: nothing, when the handler has asked for it by hand.
    ///
    /// # Panics
    /// When it does not, with what it does.
    #[track_caller]
    pub fn assert_retried(&self) -> &str {
        let is_retried = matches!(self.outcome, Outcome::Retry { .. });
        assert!(is_retried, "expected the message of `{}` to be retried; it was {self}", self.queue);
        self.error.as_deref().unwrap_or_default()
    }

    /// That it is a dead letter for this reason. Returns what went wrong: nothing, when the handler has put it there by
    /// hand.
    ///
    /// # Panics
    /// When it is not, with what it is.
    #[track_caller]
    pub fn assert_dead(&self, reason: DeadReason) -> &str {
        let expected = format!("expected the message of `{}` to be dead ({reason}); it was {self}", self.queue);
        assert!(self.outcome == Outcome::Dead { reason }, "{expected}");
        self.error.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Ack => f.write_str("acknowledged")?,
            Outcome::Retry { after } => write!(f, "retried after {after:?}")?,
            Outcome::Dead { reason } => write!(f, "dead ({reason})")?,
            Outcome::Return => f.write_str("returned untouched")?,
        }
        write!(f, " at attempt {}", self.attempt)?;
        if self.repeated {
            f.write_str(", as one that was handled before")?;
        }
        if self.late {
            f.write_str(", too late")?;
        }
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}
