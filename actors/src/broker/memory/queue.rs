use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::held::{Buried, Held};
use super::message::Message;
use super::seen::SeenKeys;
use crate::Env;
use crate::contract::{ConsumerId, Counts, DeadCounts, DeliveryInlet, Letters, Token};

/// One queue: the places of a message, named as on Redis.
#[derive(Default)]
pub(super) struct QueueState {
    /// `mailer`.
    waiting: VecDeque<Message>,
    /// `mailer:delayed`, by due time; the number keeps the order of equal ones.
    delayed: BTreeMap<(Instant, u64), Held>,
    /// `mailer:dead`, the oldest first.
    pub(super) dead: VecDeque<Buried>,
    pub(super) seen: SeenKeys,
    /// `mailer:taken:<consumer>`, with the consumer's inlet, in the order of their keys.
    consumers: Vec<(ConsumerKey, ConsumerState)>,
    numbers: u64,
    /// Who is asked first for the next delivery, so that consumers take turns.
    next: usize,
}

/// A consumer of one of the groups that share the broker.
pub(super) type ConsumerKey = (u64, ConsumerId);

pub(super) struct ConsumerState {
    pub(super) credit: usize,
    pub(super) name: Arc<str>,
    pub(super) inlet: Arc<dyn DeliveryInlet>,
    pub(super) env: Env,
    pub(super) taken: BTreeMap<Token, Held>,
    pub(super) cancelled: bool,
}

impl QueueState {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.delayed.len()
    }

    pub(super) fn push(&mut self, message: Message) {
        self.waiting.push_back(message);
    }

    pub(super) fn delay(&mut self, due: Instant, held: Held) {
        self.numbers += 1;
        self.delayed.insert((due, self.numbers), held);
    }

    /// What was never handled goes back to the head as it came; anything else keeps its id and its attempts,
    /// and is due at once. Of several, the latest is given back first, and all with the same `now`: so they come again in
    /// the order of their tokens.
    pub(super) fn give_back(&mut self, now: Instant, token: Token, held: Held) {
        match held.untouched() {
            Ok(message) => self.waiting.push_front(message),
            // No other has this number, and what is delayed later has a higher one.
            Err(held) => drop(self.delayed.insert((now, token.0), held)),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let taken: usize = self.consumers.iter().map(|(_, consumer)| consumer.taken.len()).sum();
        let mut dead = DeadCounts::default();
        self.dead.iter().for_each(|buried| dead.add(&buried.letter.reason, 1));
        Counts::new(self.waiting.len() as u64, taken as u64, self.delayed.len() as u64, dead)
    }

    /// Keeps a dead letter; `false` when the oldest had to be forgotten for it.
    pub(super) fn bury(&mut self, buried: Buried, most: usize) -> bool {
        let has_room = self.dead.len() < most;
        if !has_room {
            self.dead.pop_front();
        }
        self.dead.push_back(buried);
        has_room
    }

    /// Takes dead letters out, the oldest first.
    pub(super) fn take_dead(&mut self, which: &Letters) -> Vec<Buried> {
        let mut taken = Vec::new();
        let (most, all) = (which.most, std::mem::take(&mut self.dead));
        for buried in all {
            if taken.len() < most && which.holds(&buried.letter) {
                taken.push(buried);
            } else {
                self.dead.push_back(buried);
            }
        }
        taken
    }

    pub(super) fn add(&mut self, key: ConsumerKey, consumer: ConsumerState) {
        match self.place(&key) {
            Ok(at) => self.consumers[at] = (key, consumer),
            Err(at) => self.consumers.insert(at, (key, consumer)),
        }
    }

    /// Ends a consumer's intake; it goes when it has nothing in hand.
    pub(super) fn cancel(&mut self, key: &ConsumerKey) {
        let Ok(at) = self.place(key) else { return };
        self.consumers[at].1.cancelled = true;
        self.drop_if_done(at);
    }

    /// Ends the consumers of one group; what they hold goes back.
    pub(super) fn detach(&mut self, member: u64) {
        let ended = self.consumers.extract_if(.., |((of, _), _)| *of == member);
        let taken: BTreeMap<_, _> = ended.flat_map(|(_, consumer)| consumer.taken).collect();
        let now = Instant::now();
        taken.into_iter().rev().for_each(|(token, held)| self.give_back(now, token, held));
    }

    /// The name of a consumer that is still there.
    pub(super) fn consumer(&self, key: &ConsumerKey) -> Option<&Arc<str>> {
        self.place(key).ok().map(|at| &self.consumers[at].1.name)
    }

    /// Takes a message out of its consumer's hands; `None` when it is not there any more.
    pub(super) fn take_back(&mut self, key: &ConsumerKey, token: Token) -> Option<Held> {
        let at = self.place(key).ok()?;
        let held = self.consumers[at].1.taken.remove(&token)?;
        self.drop_if_done(at);
        Some(held)
    }

    /// Gives what waits to the consumers that have credit, in turns. Returns when the next delay ends; what is due already
    /// and finds no credit goes with the next settlement.
    pub(super) fn pump(&mut self) -> Option<Instant> {
        self.give_out();
        let ((due, _), _) = self.delayed.first_key_value()?;
        Some(*due).filter(|due| *due > Instant::now())
    }

    fn give_out(&mut self) {
        while let Some(at) = self.next_with_credit() {
            let Some(held) = self.take(at) else { return };
            self.next = at + 1;
            self.numbers += 1;
            let token = Token(self.numbers);
            let delivered = held.delivered(token);
            let consumer = &mut self.consumers[at].1;
            consumer.taken.insert(token, held);
            consumer.inlet.deliver(delivered);
        }
    }

    fn next_with_credit(&self) -> Option<usize> {
        let all = self.consumers.len();
        let has_credit = |at: &usize| {
            let consumer = &self.consumers[*at].1;
            !consumer.cancelled && consumer.taken.len() < consumer.credit
        };
        (self.next..self.next + all).map(|at| at % all).find(has_credit)
    }

    /// The next message, for one of the consumers. What is due is taken before the list.
    fn take(&mut self, at: usize) -> Option<Held> {
        if let Some(first) = self.delayed.first_entry()
            && first.key().0 <= Instant::now()
        {
            return Some(first.remove());
        }
        let message = self.waiting.pop_front()?;
        Some(Held::new(&self.consumers[at].1.env, message))
    }

    fn place(&self, key: &ConsumerKey) -> Result<usize, usize> {
        self.consumers.binary_search_by_key(key, |(key, _)| *key)
    }

    fn drop_if_done(&mut self, at: usize) {
        let consumer = &self.consumers[at].1;
        if consumer.cancelled && consumer.taken.is_empty() {
            self.consumers.remove(at);
        }
    }
}
