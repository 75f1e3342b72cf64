use formicary_protocol::Bytes;
use lapin::BasicProperties;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::copies::Copying;
use super::super::send::Part;
use super::super::topology::To;
use crate::amqp::CommandError;

/// A message that is to be published.
pub(in super::super) struct Job {
    pub(in super::super) to: To,
    pub(in super::super) properties: BasicProperties,
    pub(in super::super) body: Bytes,
    /// When it is given up: as `NotSent` while it waits, as `Unknown` when it is out. A copy waits for ever.
    pub(in super::super) deadline: Option<Instant>,
    pub(in super::super) done: Done,
}

/// Who is told what became of it.
pub(in super::super) enum Done {
    Part(Part),
    Copy(Copying),
    /// Nobody waits for it, and it has to arrive all the same: what it was sent with is done.
    Kept,
    Told(oneshot::Sender<Result<(), CommandError>>),
}

impl Job {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Asked right before it goes out, whether it still shall.
    pub(super) fn is_wanted(&self) -> bool {
        match &self.done {
            Done::Copy(copying) => copying.is_wanted(),
            Done::Part(_) | Done::Kept => true,
            Done::Told(asker) => !asker.is_closed(),
        }
    }

    pub(super) fn end(self, outcome: Result<(), CommandError>) {
        match self.done {
            Done::Part(part) => part.end(outcome),
            Done::Copy(copying) => copying.end(outcome),
            Done::Kept => {
                if let Err(error) = outcome {
                    tracing::error!(queue = %self.to.queue, "a message of an outbox is lost: {error}");
                }
            }
            // Who has stopped waiting needs no answer.
            Done::Told(asker) => drop(asker.send(outcome)),
        }
    }
}
