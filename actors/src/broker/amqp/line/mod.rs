//! The line in which messages wait to be published, each with its own deadline and its own answer.
//!
//! Whoever has a message only appends it. One task, the [writer], publishes what waits, in order and without waiting for
//! the server's answers in between, and tells each sender what became of its message.

mod job;
mod out;
mod queue;
mod writer;

use std::rc::Rc;

pub(super) use job::{Done, Job};
use queue::Queue;

use super::topology::Topology;
use crate::AdapterContext;
use crate::amqp::Connection;

/// When it is dropped, what is in it is still carried out.
pub(super) struct Line(Rc<Queue>);

impl Line {
    pub(super) fn new(context: Rc<AdapterContext>, connection: Connection, topology: Rc<Topology>) -> Self {
        let most_out = context.env.limits.in_flight.get();
        let queue = Rc::new(Queue::new(context, topology.clone()));
        actix_rt::spawn(writer::run(writer::Writer::new(queue.clone(), connection, topology, most_out)));
        Self(queue)
    }

    /// Appends a message. The bounds are the senders' permits and the consumers' credits.
    pub(super) fn push(&self, job: Job) {
        self.0.push(job);
    }

    /// Returns when nothing waits and nothing is out.
    pub(super) async fn idle(&self) {
        self.0.idle().await;
    }

    /// Ends all that waits or is out.
    pub(super) fn end(&self, why: &str) {
        self.0.end_all(why);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.leave();
    }
}
