//! What is out: published, and not yet ended.

use std::collections::BTreeMap;

use lapin::types::ShortString;
use tokio::time::Instant;

use super::Job;
use crate::amqp::CommandError;

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
            let is_own = self.given_back(returned, &is_it) == Some(one.number);
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
    fn given_back(&mut self, returned: &Returned, is_it: impl Fn(&Job, &Returned) -> bool) -> Option<u64> {
        let mut all = self.all.iter_mut();
        let Some((number, one)) = all.find(|(_, one)| !one.is_given_back && is_it(&one.job, returned)) else {
            // Its sender has given it up.
            tracing::debug!(key = %returned.key, "the server gave back a message that nobody waits for");
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
    fn one_that_is_given_up_holds_nobody() {
        let mut out = out(0..2);
        assert!(out.answered(vec![confirmed(0, Some(1))], is_it).is_empty());
        assert!(out.remove(1).is_some());
        assert_eq!(told(&out.answered(Vec::new(), is_it)), [("0".to_owned(), false)]);
    }
}
