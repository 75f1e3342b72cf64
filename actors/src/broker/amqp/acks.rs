//! What is settled and not yet told to the server, and how it is told with few frames.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::FutureExt;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions};

use super::consumer::Consumer;
use crate::broker::batch::{Batch, End};
use crate::broker::settled;
use crate::contract::{Outcome, Outgoing, Token};
use crate::events::Events;

/// A settlement that only has to be told.
pub(super) struct Settled {
    pub(super) token: Token,
    pub(super) outcome: Outcome,
    /// Sent together with it.
    pub(super) outbox: Vec<Outgoing>,
    pub(super) batch: Option<Rc<Batch>>,
}

#[derive(Default)]
pub(super) struct Ready {
    acks: BTreeMap<Token, Settled>,
    returns: BTreeMap<Token, Settled>,
}

impl Ready {
    pub(super) fn add(&mut self, settled: Settled) {
        let line = if settled.outcome == Outcome::Return { &mut self.returns } else { &mut self.acks };
        line.insert(settled.token, settled);
    }

    pub(super) fn len(&self) -> usize {
        self.acks.len() + self.returns.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    fn into_all(self) -> impl Iterator<Item = Settled> {
        self.returns.into_values().rev().chain(self.acks.into_values())
    }
}

/// Writes all that is ready. Frames of one channel keep their order, so nothing is waited for here.
pub(super) fn flush(consumer: &Consumer, channel: &Channel) -> Vec<Settled> {
    let ready = consumer.ready.borrow_mut().take();
    // First, since an acknowledgement of several must not cover them. The latest first: each goes to the head of the queue.
    for token in ready.returns.keys().rev() {
        let nack = channel.basic_nack(consumer.tag(*token), BasicNackOptions { multiple: false, requeue: true });
        written(nack);
    }
    let unsettled = consumer.held.borrow().first_key_value().map(|(token, _)| *token);
    for (token, multiple) in fewest(ready.acks.keys().copied(), unsettled) {
        written(channel.basic_ack(consumer.tag(token), BasicAckOptions { multiple }));
    }
    ready.into_all().collect()
}

/// The driver takes a frame at the first poll; that the channel has ended is told by its deliveries.
fn written(frame: impl Future<Output = lapin::Result<()>>) {
    frame.now_or_never();
}

/// The acknowledgements, in order: one for all that come before the first message that is not settled, and one for each
/// behind it.
fn fewest(acks: impl Iterator<Item = Token>, unsettled: Option<Token>) -> Vec<(Token, bool)> {
    let mut fewest: Vec<(Token, bool)> = Vec::new();
    for token in acks {
        let covers = unsettled.is_none_or(|unsettled| token < unsettled);
        match fewest.last_mut() {
            Some(last) if covers => *last = (token, true),
            _ => fewest.push((token, false)),
        }
    }
    fewest
}

/// All that cannot be told any more.
pub(super) fn give_up(consumer: &Consumer) -> Vec<Settled> {
    consumer.ready.borrow_mut().take().into_all().collect()
}

impl Settled {
    pub(super) fn applied(self, events: &Events, consumer: &Consumer) {
        settled::applied(events, &consumer.queue, &consumer.name, &self.outcome);
        self.end(End::Applied);
    }

    pub(super) fn late(self, events: &Events, consumer: &Consumer) {
        settled::late(events, &consumer.queue, &consumer.name);
        self.end(End::Late);
    }

    pub(super) fn lost(self, events: &Events, consumer: &Consumer) {
        settled::lost(events, &consumer.queue, &consumer.name);
        self.end(End::Lost);
    }

    fn end(self, end: End) {
        if let Some(batch) = &self.batch {
            batch.end(self.token, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(acks: &[u64], unsettled: Option<u64>) -> Vec<(u64, bool)> {
        let acks = acks.iter().map(|token| Token(*token));
        fewest(acks, unsettled.map(Token)).into_iter().map(|(token, multiple)| (token.0, multiple)).collect()
    }

    #[test]
    fn one_frame_covers_all_before_the_first_that_is_not_settled() {
        assert_eq!(told(&[], None), []);
        assert_eq!(told(&[4], None), [(4, false)]);
        assert_eq!(told(&[1, 2, 4], None), [(4, true)]);
        assert_eq!(told(&[1, 2, 4, 6, 7], Some(5)), [(4, true), (6, false), (7, false)]);
        assert_eq!(told(&[6, 7], Some(5)), [(6, false), (7, false)]);
        assert_eq!(told(&[1, 6], Some(5)), [(1, false), (6, false)]);
    }
}
