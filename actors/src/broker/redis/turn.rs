use std::sync::Arc;

use formicary_protocol::Bytes;

use super::consumer::Consumer;
use super::field::{Field, WIDTH, stamp};
use super::keys::Keys;
use super::pending::{Pending, Step};
use crate::redis::Reply;

/// What one turn takes at most, so that no answer grows too large.
const MOST_MESSAGES: usize = 256;
const MOST_BYTES: usize = 4 << 20;

/// One call of the script by which a consumer settles and takes.
pub(super) struct Turn {
    pub(super) keys: Vec<Bytes>,
    pub(super) args: Vec<Bytes>,
    /// The stamp of what it takes.
    pub(super) stamp: u64,
}

/// What a turn brought.
pub(super) struct Answer {
    /// Whether our lease lives. One that has run out takes nothing.
    pub(super) alive: bool,
    /// Whether there may be more to take.
    pub(super) more: bool,
    /// Milliseconds until the next delayed message is due.
    pub(super) due_in: Option<u64>,
    pub(super) in_place: usize,
    /// Keys that were forgotten before their time, since there are too many.
    pub(super) forgotten: u64,
    /// What is wrong with a key.
    pub(super) wrong: Option<String>,
    /// Which of the plain acknowledgements came too late, in order.
    pub(super) late: Vec<usize>,
    /// What became of the other settlements.
    pub(super) settled: Vec<i64>,
    pub(super) entries: Vec<(Field, Bytes)>,
    pub(super) bodies: Vec<(Field, Bytes)>,
}

impl Turn {
    /// Settles these, and takes up to `most` messages.
    pub(super) fn new(
        consumer: &Consumer,
        settlements: &[Pending],
        most: usize,
        now_ms: u64,
        keys_kept: usize,
    ) -> Self {
        let number = |number: usize| Bytes::from(number.to_string());
        let queues = queues(settlements);
        let taken_at = consumer.stamps.next(now_ms);
        let mut acks = Vec::with_capacity(settlements.len() * WIDTH);
        let mut others = Vec::new();
        for pending in settlements {
            match &pending.step {
                Step::Ack => pending.field.write(&mut acks),
                step => step.write(pending.field, &queues, &mut others),
            }
        }
        let mut args = Vec::with_capacity(8 + others.len());
        args.extend([
            consumer.uid_bytes.clone(),
            number(if most == 0 { 0 } else { consumer.credit() }),
            number(most.min(MOST_MESSAGES)),
            number(MOST_BYTES),
            stamp(taken_at),
            number(consumer.held.borrow().len()),
            number(keys_kept),
            acks.into(),
        ]);
        args.append(&mut others);
        Self { keys: keys(consumer, &queues), args, stamp: taken_at }
    }

    /// Reads what the server answers to it; nothing when that is not to be understood.
    pub(super) fn read(&self, reply: Reply) -> Option<Answer> {
        let [alive, more, due_in, in_place, forgotten, wrong, late, settled, entries, bodies] =
            <[Reply; 10]>::try_from(reply.list()?).ok()?;
        let entries = entries.list()?;
        let fields = |fresh, from| move |index| Field::new(fresh, self.stamp, from + index);
        let first_body = entries.len();
        Some(Answer {
            alive: alive.int()? == 1,
            more: more.int()? == 1,
            due_in: u64::try_from(due_in.int()?).ok(),
            in_place: usize::try_from(in_place.int()?).ok()?,
            forgotten: u64::try_from(forgotten.int()?).ok()?,
            wrong: Some(String::from_utf8_lossy(&wrong.bytes()?).into_owned()).filter(|text| !text.is_empty()),
            late: late.list()?.iter().map(|at| usize::try_from(at.int()?).ok()).collect::<Option<_>>()?,
            settled: settled.list()?.iter().map(Reply::int).collect::<Option<_>>()?,
            entries: number(entries, fields(false, 0))?,
            bodies: number(bodies.list()?, fields(true, first_body))?,
        })
    }
}

fn number(values: Vec<Reply>, field: impl Fn(usize) -> Field) -> Option<Vec<(Field, Bytes)>> {
    values.into_iter().enumerate().map(|(index, value)| Some((field(index), value.bytes()?))).collect()
}

/// The queues to which settlements send, each once.
fn queues(settlements: &[Pending]) -> Vec<Arc<str>> {
    let mut queues: Vec<Arc<str>> = Vec::new();
    for queue in settlements.iter().flat_map(|pending| pending.step.queues()) {
        if !queues.contains(queue) {
            queues.push(queue.clone());
        }
    }
    queues
}

fn keys(consumer: &Consumer, queues: &[Arc<str>]) -> Vec<Bytes> {
    let Keys { list, delayed, dead, meta, leases, seen } = consumer.keys.clone();
    let mut keys = vec![list, consumer.taken.clone(), delayed, dead, meta, leases, seen];
    keys.extend(queues.iter().map(|queue| Keys::of(queue)).flat_map(|keys| [keys.list, keys.delayed]));
    keys
}
