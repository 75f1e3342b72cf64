use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use formicary_protocol::{Bytes, DeadLetter, Entry};
use tokio::time::Instant;

use crate::contract::{ConsumerId, Counts, DeadCounts, Delivered, DeliveryInlet, Letters, Outcome, Settlement, Token};
use crate::{Env, Ids};

/// One queue: the five places of a message, named as on Redis.
#[derive(Default)]
pub(super) struct QueueState {
    /// `mailer`: bytes as they came. An entry gets its id when it is taken.
    waiting: VecDeque<Bytes>,
    /// `mailer:delayed`, by due time; the number keeps the order of equal ones.
    delayed: BTreeMap<(Instant, u64), Entry>,
    /// `mailer:dead`, the oldest first.
    pub(super) dead: VecDeque<DeadLetter>,
    /// `mailer:taken:<consumer>`, with the consumer's inlet.
    consumers: BTreeMap<ConsumerKey, ConsumerState>,
    numbers: u64,
    /// Where the next delivery is looked for, so that consumers take turns.
    next: usize,
}

/// A consumer of one of the groups that share the broker.
pub(super) type ConsumerKey = (u64, ConsumerId);

pub(super) struct ConsumerState {
    pub(super) credit: usize,
    pub(super) name: Arc<str>,
    pub(super) inlet: Arc<dyn DeliveryInlet>,
    pub(super) env: Env,
    pub(super) taken: BTreeMap<Token, Entry>,
    pub(super) cancelled: bool,
}

impl QueueState {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.delayed.len()
    }

    pub(super) fn push(&mut self, body: Bytes) {
        self.waiting.push_back(body);
    }

    pub(super) fn delay(&mut self, due: Instant, entry: Entry) {
        self.numbers += 1;
        self.delayed.insert((due, self.numbers), entry);
    }

    pub(super) fn add(&mut self, key: ConsumerKey, consumer: ConsumerState) {
        self.consumers.insert(key, consumer);
    }

    pub(super) fn consumer(&mut self, key: &ConsumerKey) -> Option<&mut ConsumerState> {
        self.consumers.get_mut(key)
    }

    /// Ends the consumers of one group; what they hold goes back.
    pub(super) fn detach(&mut self, member: u64) {
        let keys: Vec<_> = self.consumers.keys().filter(|(of, _)| *of == member).copied().collect();
        for key in keys {
            let Some(consumer) = self.consumers.remove(&key) else { continue };
            for entry in consumer.taken.into_values().rev() {
                self.give_back(entry);
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let taken: usize = self.consumers.values().map(|consumer| consumer.taken.len()).sum();
        let mut dead = DeadCounts::default();
        self.dead.iter().for_each(|letter| dead.add(&letter.reason, 1));
        Counts::new(self.waiting.len() as u64, taken as u64, self.delayed.len() as u64, dead)
    }

    /// Takes dead letters out, the oldest first.
    pub(super) fn take_dead(&mut self, which: &Letters) -> Vec<DeadLetter> {
        let mut taken = Vec::new();
        self.dead = std::mem::take(&mut self.dead)
            .into_iter()
            .filter_map(|letter| match taken.len() < which.most && which.holds(&letter) {
                true => {
                    taken.push(letter);
                    None
                }
                false => Some(letter),
            })
            .collect();
        taken
    }

    /// When the next delayed message is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.keys().next().map(|(due, _)| *due)
    }

    /// Gives what waits to the consumers that have credit, in turns.
    pub(super) fn pump(&mut self) {
        let keys: Vec<_> = self.consumers.keys().copied().collect();
        let mut without = 0;
        while !keys.is_empty() && without < keys.len() {
            self.next = (self.next + 1) % keys.len();
            let key = keys[self.next];
            let Some(consumer) = self.consumers.get(&key) else { return };
            if consumer.cancelled || consumer.taken.len() >= consumer.credit {
                without += 1;
                continue;
            }
            without = 0;
            let (ids, now_ms) = (consumer.env.ids.clone(), consumer.env.clock.now_ms());
            let Some(entry) = self.take(&ids, now_ms) else { return };
            self.numbers += 1;
            let token = Token(self.numbers);
            if let Some(consumer) = self.consumers.get_mut(&key) {
                let delivered = Delivered {
                    token,
                    id: entry.id.as_str().into(),
                    attempt: entry.attempt,
                    first_seen_ms: entry.first_seen_ms,
                    history: entry.history.clone().into(),
                    metadata: Arc::new([]),
                    body: entry.body.clone(),
                };
                consumer.taken.insert(token, entry);
                consumer.inlet.deliver(delivered);
            }
        }
    }

    /// Due entries are taken before the list.
    fn take(&mut self, ids: &Ids, now_ms: u64) -> Option<Entry> {
        if let Some((key, _)) = self.delayed.first_key_value().filter(|((due, _), _)| *due <= Instant::now()) {
            let key = *key;
            return self.delayed.remove(&key);
        }
        self.waiting.pop_front().map(|body| Entry::new(&ids.id(), now_ms, body))
    }

    /// A `Return` at attempt 1 goes back to the head as its original bytes; later ones keep their id and attempt.
    fn give_back(&mut self, entry: Entry) {
        if entry.attempt == 1 && entry.history.is_empty() {
            self.waiting.push_front(entry.body);
        } else {
            self.delay(Instant::now(), entry);
        }
    }

    /// Applies a settlement. `false` when the message is not the consumer's any more.
    pub(super) fn settle(&mut self, key: &ConsumerKey, settlement: Settlement, capacity: usize) -> bool {
        let Some(consumer) = self.consumers.get_mut(key) else { return false };
        let now_ms = consumer.env.clock.now_ms();
        let Some(mut entry) = consumer.taken.remove(&settlement.token) else { return false };
        if consumer.cancelled && consumer.taken.is_empty() {
            self.consumers.remove(key);
        }
        if let Some(failure) = settlement.failure {
            entry.push_failure(failure);
        }
        match settlement.outcome {
            Outcome::Ack => {}
            Outcome::Retry { after } => {
                entry.attempt = entry.attempt.saturating_add(1);
                self.delay(crate::clock::after(after), entry);
            }
            Outcome::Dead { reason } => {
                if self.dead.len() >= capacity {
                    tracing::error!("the dead letters of a queue in memory are full: the oldest is forgotten");
                    self.dead.pop_front();
                }
                self.dead.push_back(DeadLetter { entry, reason, died_at_ms: now_ms });
            }
            Outcome::Return => self.give_back(entry),
        }
        true
    }

    pub(super) fn cancel(&mut self, key: &ConsumerKey) {
        if let Some(consumer) = self.consumers.get_mut(key) {
            consumer.cancelled = true;
            if consumer.taken.is_empty() {
                self.consumers.remove(key);
            }
        }
    }
}
