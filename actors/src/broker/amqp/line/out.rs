//! What is out: published, and not yet ended.

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, BTreeSet};

use lapin::types::ShortString;
use tokio::time::Instant;

use super::Job;
use crate::amqp::CommandError;

/// The messages that are out, by their numbers.
#[derive(Default)]
pub(super) struct Out {
    all: BTreeMap<u64, One>,
    /// How many of them somebody waits for.
    wanted: usize,
    /// How many of them the server gave back.
    given_back: usize,
    /// The one that was given back last: they come back in the order in which they went out.
    last_back: u64,
    /// Those that are confirmed, while it is not known whether the server gave them back.
    held: BTreeSet<u64>,
}

struct One {
    message: Message,
    is_given_back: bool,
}

enum Message {
    Wanted(Box<Job>),
    /// Given up by its sender. It is here until it is answered, since that tells of others too; this is its id.
    GivenUp(Option<ShortString>),
}

/// What the server answered to one message.
pub(super) struct Answer {
    pub(super) number: u64,
    pub(super) outcome: Result<(), CommandError>,
    pub(super) returned: Option<Returned>,
}

/// A message that the server gave back, since no queue takes it. The driver tells it with the answer to any message.
pub(super) struct Returned {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) id: Option<ShortString>,
}

/// A message that has ended, and how.
pub(super) struct Ended {
    pub(super) job: Box<Job>,
    pub(super) outcome: Result<(), CommandError>,
    /// No queue takes it.
    pub(super) is_unroutable: bool,
}

impl Out {
    /// Whether nobody waits for any.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted == 0
    }

    pub(super) fn insert(&mut self, number: u64, job: Box<Job>) {
        self.all.insert(number, One { message: Message::Wanted(job), is_given_back: false });
        self.wanted += 1;
    }

    /// Takes out one that never went out.
    pub(super) fn remove(&mut self, number: u64) -> Option<Box<Job>> {
        self.take(number)?.0
    }

    /// The job, unless it was given up, and whether the server gave it back.
    fn take(&mut self, number: u64) -> Option<(Option<Box<Job>>, bool)> {
        let One { message, is_given_back } = self.all.remove(&number)?;
        self.given_back -= usize::from(is_given_back);
        let job = match message {
            Message::Wanted(job) => Some(job),
            Message::GivenUp(_) => None,
        };
        self.wanted -= usize::from(job.is_some());
        Some((job, is_given_back))
    }

    /// Takes out what the answers end. `is_it` tells whether a message is the one that was given back.
    ///
    /// The driver hands what came back to the confirmations of one frame in any order. One that brings another message than
    /// its own may have been given back itself, and a later one brings that. It is held until every message that was
    /// given back is answered: as long as the return of one is missing, there is a returned one whose answer is
    /// missing, since each answer of the frame brings a return while there are any.
    pub(super) fn answered(&mut self, answers: Vec<Answer>, is_it: impl Fn(&Job, &Returned) -> bool) -> Vec<Ended> {
        let mut ended = Vec::with_capacity(answers.len());
        for one in &answers {
            let Some(returned) = &one.returned else { continue };
            let is_own = self.given_back(one.number, returned, &is_it) == Some(one.number);
            let is_unsure = self.all.get(&one.number).is_some_and(|one| !one.is_given_back);
            if !is_own && is_unsure && one.outcome.is_ok() {
                self.held.insert(one.number);
            }
        }
        for Answer { number, outcome, .. } in answers {
            if self.held.is_empty() || !self.held.contains(&number) {
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
        let (job, is_unroutable) = self.take(number)?;
        Some(Ended { job: job?, outcome, is_unroutable })
    }

    /// Notes that the server gave a message back, and tells which one it was: the one whose answer brought it, if that fits.
    fn given_back(&mut self, own: u64, returned: &Returned, is_it: impl Fn(&Job, &Returned) -> bool) -> Option<u64> {
        let fits = |one: &One| {
            !one.is_given_back
                && match &one.message {
                    Message::Wanted(job) => is_it(job, returned),
                    Message::GivenUp(id) => *id == returned.id,
                }
        };
        let find = |mut all: Range<'_, u64, One>| all.find(|(_, one)| fits(one)).map(|(number, _)| *number);
        let found = find(self.all.range(own..=own))
            .or_else(|| find(self.all.range(self.last_back..)))
            .or_else(|| find(self.all.range(..self.last_back)));
        let Some(one) = found.and_then(|number| self.all.get_mut(&number)) else {
            tracing::debug!(key = %returned.key, "the server gave back a message that nobody has sent");
            return None;
        };
        one.is_given_back = true;
        self.given_back += 1;
        self.last_back = found.unwrap_or_default();
        found
    }

    /// Gives up what is past its deadline.
    pub(super) fn give_up_due(&mut self, now: Instant) -> Vec<Job> {
        let mut due = Vec::new();
        for one in self.all.values_mut() {
            if let Message::Wanted(job) = &one.message
                && job.is_due(now)
            {
                let id = Message::GivenUp(job.properties.message_id().clone());
                if let Message::Wanted(job) = std::mem::replace(&mut one.message, id) {
                    due.push(*job);
                }
            }
        }
        self.wanted -= due.len();
        due
    }

    pub(super) fn take_all(&mut self) -> Vec<Job> {
        let all = std::mem::take(self).all.into_values();
        all.filter_map(|one| if let Message::Wanted(job) = one.message { Some(*job) } else { None }).collect()
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        let deadline = |one: &One| if let Message::Wanted(job) = &one.message { job.deadline } else { None };
        self.all.values().filter_map(deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Done;
    use super::*;
    use crate::broker::amqp::topology::To;

    fn out(numbers: std::ops::Range<u64>) -> Out {
        let mut out = Out::default();
        for number in numbers {
            let id = ShortString::try_new(number.to_string()).unwrap();
            let to = To::itself("q".into(), 0);
            let properties = lapin::BasicProperties::default().with_message_id(id);
            out.insert(number, Box::new(Job { to, properties, body: "".into(), deadline: None, done: Done::Kept }));
        }
        out
    }

    fn is_it(job: &Job, returned: &Returned) -> bool {
        *job.properties.message_id() == returned.id
    }

    fn confirmed(number: u64, returned: Option<u64>) -> Answer {
        let id = |id: u64| ShortString::try_new(id.to_string()).ok();
        let (exchange, key) = <(ShortString, ShortString)>::default();
        Answer { number, outcome: Ok(()), returned: returned.map(|of| Returned { exchange, key, id: id(of) }) }
    }

    /// The ids of those that have ended, and whether each is unroutable.
    fn told(ended: &[Ended]) -> Vec<(String, bool)> {
        ended
            .iter()
            .map(|one| (one.job.properties.message_id().as_ref().unwrap().to_string(), one.is_unroutable))
            .collect()
    }

    #[test]
    fn what_is_confirmed_with_a_return_of_another_is_held_until_its_own_may_have_come() {
        // 0 is routable, the other three are not; the driver resolves 3, 1, 2, and we look after each.
        let mut out = out(0..4);
        assert_eq!(told(&out.answered(vec![confirmed(0, None)], is_it)), [("0".to_owned(), false)]);
        assert!(out.answered(vec![confirmed(3, Some(1))], is_it).is_empty());
        assert_eq!(told(&out.answered(vec![confirmed(1, Some(2))], is_it)), [("1".to_owned(), true)]);
        let last = told(&out.answered(vec![confirmed(2, Some(3))], is_it));
        assert_eq!(last, [("2".to_owned(), true), ("3".to_owned(), true)]);
        assert!(out.is_empty());
    }

    #[test]
    fn a_message_that_is_held_and_was_routed_ends_well() {
        let mut out = out(0..3);
        assert!(out.answered(vec![confirmed(0, Some(2))], is_it).is_empty());
        assert_eq!(told(&out.answered(vec![confirmed(1, None)], is_it)), [("1".to_owned(), false)]);
        let last = told(&out.answered(vec![confirmed(2, None)], is_it));
        assert_eq!(last, [("2".to_owned(), true), ("0".to_owned(), false)]);
    }

    #[test]
    fn the_answer_to_one_that_was_given_up_still_tells_of_others() {
        // Nobody takes either; the driver brings each with the answer to the other one.
        let mut out = out(0..2);
        let soon = Instant::now();
        if let Some(One { message: Message::Wanted(job), .. }) = out.all.get_mut(&0) {
            job.deadline = Some(soon);
        }
        assert_eq!(out.give_up_due(soon).len(), 1);
        assert!(out.answered(vec![confirmed(1, Some(0))], is_it).is_empty());
        assert_eq!(told(&out.answered(vec![confirmed(0, Some(1))], is_it)), [("1".to_owned(), true)]);
        assert!(out.is_empty() && out.all.is_empty());
    }

    #[test]
    fn of_two_alike_the_one_came_back_whose_answer_brings_it() {
        let mut out = out(0..2);
        assert_eq!(told(&out.answered(vec![confirmed(1, Some(1))], |_, _| true)), [("1".to_owned(), true)]);
        assert_eq!(told(&out.answered(vec![confirmed(0, None)], is_it)), [("0".to_owned(), false)]);
    }
}
