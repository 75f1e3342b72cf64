use std::time::Duration;

use formicary_protocol::Bytes;
use tokio::time::Instant;

use super::deliver::deliver;
use super::field::Field;
use super::intake::{Called, Service};
use super::keys::FORMAT;
use super::settle::{self, NOT_NOW};
use super::turn::{Answer, Turn};
use crate::broker::pause::Pause;
use crate::redis::{CommandError, Reply, Waited};

/// What a consumer makes of what the server answers.
impl Service {
    /// Returns whether this was the last one.
    pub(super) fn called(&mut self, called: Called) -> bool {
        self.alone = false;
        match called {
            Called::Turn(turn, reply) => self.turned(&turn, reply),
            Called::Held(Ok(place)) => self.recovered(place),
            Called::Entered(Ok(format)) if format == FORMAT => (self.lapsed, self.look) = (false, true),
            Called::Entered(Ok(format)) => {
                let format = String::from_utf8_lossy(&format).escape_debug().to_string();
                let text =
                    format!("the queue is kept in format `{format}` now: this version takes nothing more from it");
                self.link.say("queue refused", &self.consumer, &text);
                self.takes.lengthen();
            }
            Called::Left(Ok(reply)) => {
                if self.strange || reply.int() == Some(1) {
                    return true;
                }
                self.consumer.unsure.set(true);
            }
            Called::Held(Err(error)) => {
                self.consumer.unsure.set(true);
                self.failed(&error);
            }
            Called::Entered(Err(error)) | Called::Left(Err(error)) => self.failed(&error),
        }
        false
    }

    fn failed(&mut self, error: &CommandError) {
        self.refused(error);
        self.takes.lengthen();
    }

    fn turned(&mut self, turn: &Turn, reply: Result<Reply, CommandError>) {
        let took = turn.most > 0;
        self.asked -= turn.most;
        let settlements = self.consumer.flying.borrow_mut().remove(&turn.stamp).unwrap_or_default();
        let unclear = || CommandError::Unknown("the answer to a turn is not understood".to_owned());
        match reply.and_then(|reply| turn.read(reply).ok_or_else(unclear)) {
            Ok(answer) => {
                self.see_lease(&answer);
                settle::tell(&self.link, &self.consumer, settlements, &answer);
                self.settlements = Pause::default();
                if answer.settled.contains(&NOT_NOW) {
                    self.refusals.lengthen();
                } else if !answer.settled.is_empty() {
                    self.refusals = Pause::default();
                }
                if took {
                    self.look = answer.more;
                }
                self.took(answer, took);
            }
            Err(error) => {
                if took {
                    self.look = true;
                    self.takes.lengthen();
                    self.may_have_taken(&error);
                }
                if !settlements.is_empty() {
                    self.settlements.lengthen();
                    settle::put_back(&self.consumer, settlements, &error);
                }
                self.refused(&error);
            }
        }
    }

    pub(super) fn waited(&mut self, turn: &Turn, waited: Result<Waited, CommandError>) {
        let unclear = || CommandError::Unknown("the answer to a turn is not understood".to_owned());
        let (refusal, ran) = match waited {
            Ok(Waited { refusal: Some(error), ran }) if self.moved(&error) => {
                // The queue may have come to that node between the wait and the script.
                match ran {
                    Ok(_) => self.consumer.unsure.set(true),
                    Err(error) => self.may_have_taken(&error),
                }
                return;
            }
            Ok(Waited { refusal, ran }) => (refusal, ran),
            Err(error) => (None, Err(error)),
        };
        match ran.and_then(|reply| turn.read(reply).ok_or_else(unclear)) {
            Ok(answer) => {
                self.look |= answer.more;
                self.see_lease(&answer);
                self.took(answer, true);
            }
            // A script that the server has forgotten is sent to it by a call.
            Err(error) => {
                self.look = true;
                self.may_have_taken(&error);
                if !error.has_code("NOSCRIPT") {
                    self.refused(&error);
                }
            }
        }
        // A server that is out of memory does not block, and still lets us take: so we look from time to time.
        match refusal {
            Some(refusal) => {
                self.waits.lengthen();
                self.refused(&refusal);
            }
            None => self.waits = Pause::default(),
        }
    }

    /// The node that was asked has the queue not, or no longer.
    fn moved(&mut self, error: &CommandError) -> bool {
        let moved = self.reader.as_ref().is_some_and(|reader| self.link.nodes.moved(reader.endpoint(), error));
        self.look |= moved;
        moved
    }

    fn may_have_taken(&self, error: &CommandError) {
        if matches!(error, CommandError::Unknown(_)) {
            self.consumer.unsure.set(true);
        }
    }

    fn see_lease(&mut self, answer: &Answer) {
        if !answer.alive && !self.lapsed {
            self.lapsed = true;
            self.consumer.lost_all();
            self.link.say("lease lost", &self.consumer, "its lease ran out: what it held is given to others");
        }
    }

    /// Notes what a turn took, and what it tells.
    fn took(&mut self, answer: Answer, took: bool) {
        let (link, consumer) = (&self.link, &self.consumer);
        if answer.forgotten > 0 {
            link.say(
                "keys forgotten",
                consumer,
                "too many keys of `dedup` are remembered: the oldest are forgotten early",
            );
        }
        let found = answer.entries.len() + answer.bodies.len();
        match answer.wrong {
            Some(wrong) => {
                link.say("queue refused", consumer, &format!("{wrong}; trying again"));
                if took && found == 0 {
                    self.look = true;
                    self.takes.lengthen();
                }
            }
            // Full with what we do not know of: whoever waits for the list would not wait at all.
            None if took && found == 0 && answer.in_place >= consumer.credit() && consumer.free() > 0 => {
                self.takes.lengthen();
            }
            None if took => self.takes = Pause::default(),
            None => {}
        }
        let now = Instant::now();
        deliver(link, consumer, answer.entries, answer.bodies);
        // One that was given up and ran late: nothing may stay there unknown. What is on its way to us is known soon.
        if self.wait.is_none() && self.calls.is_empty() && answer.in_place > consumer.held.borrow().len() {
            consumer.unsure.set(true);
        }
        if let Some(wait) = answer.due_in {
            consumer.due_at(now + Duration::from_millis(wait));
        }
    }

    /// Delivers what is in our place without our knowing. What a read that is under way has taken comes with its answer.
    fn recovered(&mut self, place: Vec<(Bytes, Bytes)>) {
        let (mut entries, mut bodies) = (Vec::new(), Vec::new());
        for (field, value) in place {
            match Field::parse(&field).filter(|field| !self.consumer.knows(*field) && !self.awaits(*field)) {
                Some(field) if field.is_fresh() => bodies.push((field, value)),
                Some(field) => entries.push((field, value)),
                None => {}
            }
        }
        entries.sort_by_key(|(field, _)| *field);
        bodies.sort_by_key(|(field, _)| *field);
        self.strange = self.reader.is_none() && entries.is_empty() && bodies.is_empty();
        self.look = true;
        deliver(&self.link, &self.consumer, entries, bodies);
    }

    fn awaits(&self, field: Field) -> bool {
        self.awaited == Some(field.taken_at_ms())
    }

    /// The connection tells of its outages itself; this is for what the server says.
    fn refused(&self, error: &CommandError) {
        if let CommandError::Refused { message, .. } = error {
            let text = format!("the server refuses to settle and to give messages: {message}; trying again");
            self.link.say("queue refused", &self.consumer, &text);
        }
    }
}
