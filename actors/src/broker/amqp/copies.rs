//! Messages that go on, as a retry or as a dead letter: the copy is confirmed before the original is acknowledged.

use std::rc::Rc;

use formicary_protocol::Failure;
use tokio::time::Instant;

use super::acks::Settled;
use super::connection::Link;
use super::consumer::{Consumer, Held};
use super::line::{Done, Job};
use super::names;
use super::properties::{self, Past};
use super::topology::To;
use crate::amqp::CommandError;
use crate::broker::batch::{Batch, End};
use crate::broker::pause::Pause;
use crate::contract::{Outcome, Token};

/// A settlement whose message is being copied.
pub(super) struct Copying {
    consumer: Rc<Consumer>,
    token: Token,
    outcome: Outcome,
    failure: Option<Failure>,
    batch: Option<Rc<Batch>>,
}

/// Copies that the server refused, and when they are tried again.
#[derive(Default)]
pub(super) struct Stuck {
    copies: Vec<Copying>,
    why: String,
    pause: Pause,
}

impl Stuck {
    /// When the next try is, if there is something to try.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.copies.is_empty()).then(|| self.pause.end().unwrap_or_else(Instant::now))
    }

    /// Those whose messages are not ours any more.
    pub(super) fn take(&mut self) -> Vec<Copying> {
        std::mem::take(&mut self.copies)
    }
}

/// Tries again what the server refused.
pub(super) fn again(link: &Link, consumer: &Consumer) {
    let copies = consumer.stuck.borrow_mut().take();
    if !copies.is_empty() {
        let why = consumer.stuck.borrow().why.clone();
        link.say("copy refused", consumer, &format!("a retry or a dead letter cannot be stored: {why}; trying again"));
    }
    copies.into_iter().for_each(|copying| begin(link, copying));
}

/// Puts the copy into the line.
pub(super) fn begin(link: &Link, copying: Copying) {
    let job = copying.consumer.held.borrow_mut().get_mut(&copying.token).map(|held| {
        held.is_settled = true;
        let (to, properties) = copying.place(link, held);
        (to, properties, held.delivered.body.clone())
    });
    match job {
        Some((to, properties, body)) => {
            link.line.push(Job { to, properties, body, deadline: None, done: Done::Copy(copying) });
        }
        None => copying.lost(),
    }
}

impl Copying {
    pub(super) fn new(
        consumer: Rc<Consumer>,
        token: Token,
        outcome: Outcome,
        failure: Option<Failure>,
        batch: Option<Rc<Batch>>,
    ) -> Self {
        Self { consumer, token, outcome, failure, batch }
    }

    fn place(&self, link: &Link, held: &Held) -> (To, lapin::BasicProperties) {
        let persistent = link.topology.is_persistent();
        let mut past = Past::of(&held.delivered, self.failure.clone());
        let queue = self.consumer.queue.clone();
        match &self.outcome {
            Outcome::Dead { reason } => {
                let dead = Some((reason, link.context.env.clock.now_ms()));
                (To::dead(queue), properties::of_copy(&held.properties, past, dead, persistent))
            }
            outcome => {
                past.attempt = past.attempt.saturating_add(1);
                let delay_ms = match outcome {
                    Outcome::Retry { after } => names::millis(*after),
                    _ => 0,
                };
                (To::itself(queue, delay_ms), properties::of_copy(&held.properties, past, None, persistent))
            }
        }
    }

    /// Whether the message is still ours. If not, the server gives it to somebody, and a copy would be another one.
    pub(super) fn is_wanted(&self) -> bool {
        self.consumer.holds(self.token)
    }

    /// The broker is closed; that it is lost is counted there.
    pub(super) fn given_up(self) {
        if let Some(batch) = &self.batch {
            batch.end(self.token, End::Lost);
        }
    }

    /// The message is the server's again. That it is late was counted when its channel ended.
    pub(super) fn lost(self) {
        if let Some(batch) = &self.batch {
            batch.end(self.token, End::Late);
        }
    }

    pub(super) fn end(self, outcome: Result<(), CommandError>) {
        let consumer = self.consumer.clone();
        match outcome {
            _ if !consumer.holds(self.token) => self.lost(),
            Ok(()) => {
                consumer.stuck.borrow_mut().pause = Pause::default();
                let Self { token, outcome, batch, .. } = self;
                consumer.held.borrow_mut().remove(&token);
                consumer.ready.borrow_mut().add(Settled { token, outcome, outbox: Vec::new(), batch });
            }
            // Unknown too: a second copy is better than none.
            Err(error) => {
                let mut stuck = consumer.stuck.borrow_mut();
                stuck.why = error.to_string();
                stuck.copies.push(self);
                if stuck.pause.is_over() {
                    stuck.pause.lengthen();
                }
            }
        }
        consumer.changed.notify_one();
    }
}
