//! What is out: published, and not yet ended.

use std::collections::BTreeMap;

use lapin::message::BasicReturnMessage;
use tokio::time::Instant;

use super::Job;
use crate::amqp::CommandError;
use crate::broker::amqp::topology::Topology;

/// The messages that are out, by their numbers.
#[derive(Default)]
pub(super) struct Out {
    all: BTreeMap<u64, One>,
    /// How many of them the server gave back.
    given_back: usize,
    /// Those that are confirmed, while it is not known whether the server gave them back.
    held: Vec<u64>,
}

struct One {
    job: Box<Job>,
    is_given_back: bool,
}

/// What the server answered to one message.
pub(super) struct Answer {
    pub(super) number: u64,
    pub(super) outcome: Result<(), CommandError>,
    /// A message that no queue takes, this one or another. The driver tells it with the answer to any message.
    pub(super) returned: Option<Box<BasicReturnMessage>>,
}

/// A message that has ended, and how.
pub(super) struct Ended {
    pub(super) job: Box<Job>,
    pub(super) outcome: Result<(), CommandError>,
    /// No queue takes it.
    pub(super) is_unroutable: bool,
}

impl Out {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn insert(&mut self, number: u64, job: Box<Job>) {
        self.all.insert(number, One { job, is_given_back: false });
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Box<Job>> {
        self.take(number).map(|one| one.job)
    }

    fn take(&mut self, number: u64) -> Option<One> {
        let one = self.all.remove(&number)?;
        self.given_back -= usize::from(one.is_given_back);
        Some(one)
    }

    /// Takes out what the answers end.
    ///
    /// The driver hands what came back to the confirmations of one frame in any order. One that brings another message than
    /// its own may have been given back itself, and a later one brings that. It is held until every message that was
    /// given back is answered: as long as the return of one is missing, there is a returned one whose answer is
    /// missing, since each answer of the frame brings a return while there are any.
    pub(super) fn answered(&mut self, answers: Vec<Answer>, topology: &Topology) -> Vec<Ended> {
        let mut ended = Vec::with_capacity(answers.len());
        for one in &answers {
            let Some(returned) = &one.returned else { continue };
            let is_own = self.given_back(returned, topology) == Some(one.number);
            if !is_own && one.outcome.is_ok() && self.all.contains_key(&one.number) {
                self.held.push(one.number);
            }
        }
        for Answer { number, outcome, .. } in answers {
            if !self.held.contains(&number) {
                ended.extend(self.end(number, outcome));
            }
        }
        let unsure = self.held.iter().filter(|held| self.all.get(held).is_some_and(|one| one.is_given_back)).count();
        if self.given_back == unsure {
            for number in std::mem::take(&mut self.held) {
                ended.extend(self.end(number, Ok(())));
            }
        }
        ended
    }

    fn end(&mut self, number: u64, outcome: Result<(), CommandError>) -> Option<Ended> {
        let One { job, is_given_back } = self.take(number)?;
        Some(Ended { job, outcome, is_unroutable: is_given_back })
    }

    /// Notes that the server gave a message back, and tells which one it was.
    fn given_back(&mut self, message: &BasicReturnMessage, topology: &Topology) -> Option<u64> {
        let is_it = |job: &Job| {
            let address = topology.address(&job.to);
            job.properties.message_id() == message.properties.message_id()
                && address
                    .is_none_or(|address| address.exchange == message.exchange && address.key == message.routing_key)
        };
        let Some((number, one)) = self.all.iter_mut().find(|(_, one)| !one.is_given_back && is_it(&one.job)) else {
            // Its sender has given it up.
            tracing::debug!(key = %message.routing_key, "the server gave back a message that nobody waits for");
            return None;
        };
        one.is_given_back = true;
        self.given_back += 1;
        Some(*number)
    }

    /// Takes out what is past its deadline.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Box<Job>> {
        let due = self.all.iter().filter(|(_, one)| one.job.is_due(now)).map(|(number, _)| *number);
        let due: Vec<_> = due.collect();
        due.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Box<Job>> + use<> {
        std::mem::take(self).all.into_values().map(|one| one.job)
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.all.values().filter_map(|one| one.job.deadline).min()
    }
}
