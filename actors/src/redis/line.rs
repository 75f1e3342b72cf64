//! The line in which commands wait to go out, many in one parcel, each with its own deadline and its own answer.
//!
//! Whoever has a command only appends it. One task, the [writer], takes what waits and sends it in as few [parcel]s as
//! it can; what comes meanwhile is taken in that task's next turn. So a lone command goes out at once, and of many each
//! costs a part of one.

mod parcel;
mod queue;
mod writer;

use super::{CommandError, Connection};
use queue::Queue;
use std::rc::Rc;
use tokio::time::Instant;

pub use parcel::Command;
pub(super) use parcel::PUBLISH_ALL;

/// A command with what has to be done before and after it.
pub trait Job: 'static {
    /// When it is given up: as `NotSent` while it waits, as `Unknown` when it is out.
    fn deadline(&self) -> Instant;

    /// Asked right before it goes out, whether it still shall. `waited` says that there was no connection for it before.
    fn ready(&mut self, waited: bool) -> bool {
        let _ = waited;
        true
    }

    /// Its connection died before it was written. Asked whether it goes back to its place in the line.
    fn again(&self) -> bool {
        true
    }

    /// The command, right before it goes out. Asked once more if it is put back.
    fn command(&mut self) -> Command;

    /// What became of it.
    fn end(self, outcome: Result<u64, CommandError>);
}

/// The line of one kind of jobs. When it is dropped, what is in it is still carried out.
pub struct Line<J: Job>(Rc<Queue<J>>);

impl<J: Job> Line<J> {
    /// A line for a connection. Its bounds are the connection's.
    ///
    /// # Panics
    /// Outside of an actix arbiter or another tokio `LocalSet`.
    pub fn new(connection: Connection) -> Self {
        let queue = Rc::new(Queue::new(connection));
        tokio::task::spawn_local(writer::run(queue.clone()));
        Self(queue)
    }

    /// Appends a job, or ends it at once if too many wait already.
    pub fn push(&self, job: J) {
        self.0.push(job);
    }

    /// Returns when nothing waits and nothing is out.
    pub async fn idle(&self) {
        self.0.idle().await;
    }
}

impl<J: Job> Drop for Line<J> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
