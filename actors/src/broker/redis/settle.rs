use std::rc::Rc;

use super::connection::Link;
use super::consumer::Consumer;
use super::pending::{Pending, Step};
use super::publish::OPTIONS;
use super::turn::Answer;
use crate::broker::batch::{Batch, End};
use crate::broker::settled;
use crate::contract::{Outcome, Reply, SettleError, Settlement, Settlements, Token};
use crate::events::{Event, EventKind};
use crate::redis::CommandError;

/// What one turn settles at most.
const MOST_SETTLEMENTS: usize = 256;
const MOST_BYTES: usize = 4 << 20;

/// What the script says of a settlement whose key is of a wrong type.
pub(super) const NOT_NOW: i64 = -1;

/// Accepts a batch, and keeps it until it is applied. While a turn is under way the next ones gather.
pub(super) fn settle(
    link: &Link,
    consumer: &Consumer,
    settlements: Settlements,
    reply: Option<Reply<Result<(), SettleError>>>,
) {
    if settlements.is_empty() {
        return reply.into_iter().for_each(|reply| reply.send(Ok(())));
    }
    if !settlements.as_slice().iter().all(|settlement| sends_well(consumer, settlement)) {
        tracing::error!(queue = %consumer.queue, "a settlement came with messages that cannot be sent with it: it was refused");
        return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::NoOutbox)));
    }
    let batch = reply.map(|reply| Batch::new(settlements.len(), reply));
    for settlement in settlements {
        let token = settlement.token;
        let held = consumer.held.borrow_mut().get_mut(&token).and_then(|held| Some((held.field, held.what.take()?)));
        match held {
            Some((field, what)) => {
                let pending = Pending::new(link, field, what, settlement, batch.clone());
                consumer.waiting.borrow_mut().push_back(pending);
            }
            // Not held, or settled already.
            None => late(link, consumer, token, batch.as_deref()),
        }
    }
    consumer.changed.notify_one();
}

/// Whether what is sent with an acknowledgement goes to queues that were named before, with options that there are.
fn sends_well(consumer: &Consumer, settlement: &Settlement) -> bool {
    settlement.outbox.iter().all(|outgoing| {
        consumer.outbox.contains(&outgoing.queue) && settled::unsupported(&outgoing.options, OPTIONS).is_none()
    })
}

fn late(link: &Link, consumer: &Consumer, token: Token, batch: Option<&Batch>) {
    settled::late(&link.context.env.events, &consumer.queue, &consumer.name);
    batch.inspect(|batch| batch.end(token, End::Late));
}

/// Takes the next ones of those that wait. Returns go last, the latest first: each goes to the head of the list.
pub(super) fn gather(consumer: &Consumer) -> Vec<Pending> {
    let mut waiting = consumer.waiting.borrow_mut();
    if waiting.iter().any(|pending| pending.step.is_return()) {
        waiting.make_contiguous().sort_by_key(|pending| match pending.step {
            Step::Return => (1, u64::MAX - pending.token.0),
            _ => (0, pending.token.0),
        });
    }
    let mut flying: Vec<Pending> = Vec::with_capacity(waiting.len().min(MOST_SETTLEMENTS));
    let mut bytes = 0;
    while let Some(next) = waiting.front() {
        let room = flying.len() < MOST_SETTLEMENTS && bytes < MOST_BYTES;
        // What goes back to the list goes back at once: between two parts of it some would be taken, out of their order.
        let together = next.step.is_return() && flying.last().is_some_and(|last| last.step.is_return());
        if !room && !together {
            break;
        }
        let Some(pending) = waiting.pop_front() else { break };
        bytes += pending.step.bytes();
        flying.push(pending);
    }
    flying
}

/// Tells what a turn did with the settlements that it had.
pub(super) fn tell(link: &Link, consumer: &Consumer, settlements: Vec<Pending>, answer: &Answer) {
    let (mut late_acks, mut others) = (answer.late.iter().peekable(), answer.settled.iter());
    let mut acks = 0;
    for pending in settlements {
        let result = match pending.step {
            Step::Ack => {
                acks += 1;
                i64::from(late_acks.next_if(|at| **at == acks - 1).is_none())
            }
            _ => others.next().copied().unwrap_or_default(),
        };
        match result {
            NOT_NOW => consumer.refused.borrow_mut().push(pending),
            // Applied by a turn whose answer was lost, unless somebody else has had the message since.
            0 if !pending.tried || consumer.was_lost(pending.token) => {
                consumer.release(pending.token);
                late(link, consumer, pending.token, pending.batch.as_deref());
            }
            result => applied(link, consumer, pending, result == 2),
        }
    }
}

fn applied(link: &Link, consumer: &Consumer, pending: Pending, known: bool) {
    let env = &link.context.env;
    if known {
        let (queue, consumer) = (consumer.queue.clone(), consumer.name.clone());
        env.events.emit(EventKind::Deduplicated, || Event::Deduplicated { queue, consumer });
    } else {
        settled::applied(&env.events, &consumer.queue, &consumer.name, &pending.outcome);
    }
    match &pending.step {
        Step::AckWith { outbox, .. } if !known => {
            for parcel in outbox {
                env.told_queued(&parcel.queue);
                if parcel.delay_ms > 0 {
                    link.due_in(&parcel.queue, parcel.delay_ms);
                }
            }
        }
        Step::Retry { delay_ms, .. } => link.due_in(&consumer.queue, *delay_ms),
        Step::Again { .. } => link.due_in(&consumer.queue, 0),
        _ => {}
    }
    consumer.release(pending.token);
    if let Some(batch) = &pending.batch {
        batch.end(pending.token, End::Applied);
    }
}

/// The turn failed: what it should have settled is settled by the next.
pub(super) fn put_back(consumer: &Consumer, settlements: Vec<Pending>, error: &CommandError) {
    let mut waiting = consumer.waiting.borrow_mut();
    for mut pending in settlements.into_iter().rev() {
        pending.tried |= matches!(error, CommandError::Unknown(_));
        waiting.push_front(pending);
    }
}

/// Gives back everything that nobody has settled. For the end of the broker, when nobody will.
pub(super) fn return_rest(link: &Rc<Link>, consumer: &Rc<Consumer>) {
    let tokens: Vec<_> =
        consumer.held.borrow().iter().filter_map(|(token, held)| held.what.is_some().then_some(*token)).collect();
    let back = |token| Settlement::new(token, Outcome::Return);
    settle(link, consumer, tokens.into_iter().map(back).collect::<Vec<_>>().into(), None);
}

/// Counts and logs what could not be told to the server in time.
pub(super) fn give_up(link: &Link, consumer: &Consumer) {
    let (waiting, refused) = (consumer.waiting.take(), consumer.refused.take());
    let flying = consumer.flying.take().into_values().flatten();
    let mut lost = 0;
    for pending in flying.chain(waiting).chain(refused) {
        lost += 1;
        settled::lost(&link.context.env.events, &consumer.queue, &consumer.name);
        consumer.release(pending.token);
        if let Some(batch) = &pending.batch {
            batch.end(pending.token, End::Lost);
        }
    }
    if lost > 0 || consumer.unsure.get() {
        let (queue, place) = (&consumer.queue, String::from_utf8_lossy(&consumer.taken));
        tracing::warn!(%queue, consumer = %consumer.name, lost, %place, "the broker was closed before these settlements \
            could be applied: another consumer takes their messages over when the lease runs out");
    }
}
