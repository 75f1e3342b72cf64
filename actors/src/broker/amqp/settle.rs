use std::rc::Rc;

use super::acks::Settled;
use super::connection::Link;
use super::consumer::Consumer;
use super::copies::{self, Copying};
use crate::broker::batch::{Batch, End};
use crate::broker::settled;
use crate::contract::{Outcome, Reply, SettleError, Settlement, Settlements, Token};

/// Accepts a batch. What is only to be told goes out with the next flush of its consumer; what goes on, as a retry or as a
/// dead letter, is copied first.
pub(super) fn settle(
    link: &Link,
    consumer: &Rc<Consumer>,
    settlements: Settlements,
    reply: Option<Reply<Result<(), SettleError>>>,
) {
    if settlements.is_empty() {
        return reply.into_iter().for_each(|reply| reply.send(Ok(())));
    }
    if !settlements.as_slice().iter().all(|settlement| sends_well(link, consumer, settlement)) {
        tracing::error!(queue = %consumer.queue, "a settlement came with messages that cannot be sent with it: it was refused");
        return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::NoOutbox)));
    }
    let batch = reply.map(|reply| Batch::new(settlements.len(), reply));
    for settlement in settlements {
        one(link, consumer, settlement, batch.clone());
    }
    consumer.changed.notify_one();
}

fn one(link: &Link, consumer: &Rc<Consumer>, settlement: Settlement, batch: Option<Rc<Batch>>) {
    let Settlement { token, outcome, failure, outbox, .. } = settlement;
    let is_open = consumer.held.borrow().get(&token).is_some_and(|held| !held.is_settled);
    match outcome {
        // Not held, or settled already.
        _ if !is_open => late(link, consumer, token, batch.as_deref()),
        Outcome::Ack | Outcome::Return => {
            consumer.held.borrow_mut().remove(&token);
            consumer.ready.borrow_mut().add(Settled { token, outcome, outbox, batch });
        }
        Outcome::Retry { .. } | Outcome::Dead { .. } => {
            let copying = Copying::new(consumer.clone(), token, outcome, failure, batch);
            copies::begin(link, copying);
        }
    }
}

/// Whether what is sent with an acknowledgement goes to queues that were named before, with options that can travel.
fn sends_well(link: &Link, consumer: &Consumer, settlement: &Settlement) -> bool {
    settlement.seen.is_none()
        && settlement.outbox.iter().all(|outgoing| {
            consumer.outbox.contains(&outgoing.queue) && super::send::prepare(link, outgoing.clone()).is_ok()
        })
}

pub(super) fn late(link: &Link, consumer: &Consumer, token: Token, batch: Option<&Batch>) {
    settled::late(&link.context.env.events, &consumer.queue, &consumer.name);
    batch.inspect(|batch| batch.end(token, End::Late));
}

/// Gives back everything that nobody has settled. For the end of the broker, when nobody will.
pub(super) fn return_rest(link: &Link, consumer: &Rc<Consumer>) {
    let tokens: Vec<_> =
        consumer.held.borrow().iter().filter(|(_, held)| !held.is_settled).map(|(token, _)| *token).collect();
    let back = |token| Settlement::new(token, Outcome::Return);
    settle(link, consumer, tokens.into_iter().map(back).collect::<Vec<_>>().into(), None);
}
