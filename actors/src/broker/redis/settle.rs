use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::{Bytes, DeadLetter};
use tokio::time::sleep;

use super::connection::Link;
use super::consumer::Consumer;
use crate::broker::settled;
use crate::contract::{Outcome, Reply, SettleError, Settlement, Settlements, Token};
use crate::events::{Event, EventKind};
use crate::redis::CommandError;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(1);
/// What one script settles at most.
const MOST_SETTLEMENTS: usize = 256;
const MOST_BYTES: usize = 4 << 20;

/// A settlement on its way to the server.
pub(super) struct Pending {
    token: Token,
    outcome: Outcome,
    word: &'static str,
    field: Bytes,
    written: Bytes,
    /// It may have been applied already, by a script whose answer was lost.
    tried: bool,
    batch: Rc<Batch>,
}

/// The settlements of one message, which are answered together.
struct Batch {
    left: Cell<usize>,
    late: RefCell<Vec<Token>>,
    lost: Cell<usize>,
    reply: Cell<Option<Reply<Result<(), SettleError>>>>,
}

impl Batch {
    fn one_done(&self) {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0
            && let Some(reply) = self.reply.take()
        {
            let late = self.late.take();
            reply.send(match self.lost.get() {
                0 if late.is_empty() => Ok(()),
                0 => Err(SettleError::Late(late)),
                lost => Err(SettleError::Closed(lost)),
            });
        }
    }
}

/// Accepts a batch, and keeps it until it is applied. While a script is under way the next ones gather.
pub(super) fn settle(
    link: &Rc<Link>,
    consumer: &Rc<Consumer>,
    settlements: Settlements,
    reply: Option<Reply<Result<(), SettleError>>>,
) {
    let batch = Rc::new(Batch {
        left: Cell::new(settlements.len() + 1),
        late: RefCell::default(),
        lost: Cell::new(0),
        reply: Cell::new(reply),
    });
    for settlement in settlements {
        let token = settlement.token;
        match prepare(link, consumer, settlement, &batch) {
            Some(pending) => consumer.waiting.borrow_mut().push_back(pending),
            None => {
                settled::late(&link.context.env.events, &consumer.queue, &consumer.name);
                batch.late.borrow_mut().push(token);
                batch.one_done();
            }
        }
    }
    batch.one_done();
    if !consumer.waiting.borrow().is_empty() && !consumer.settling.replace(true) {
        actix_rt::spawn(run(link.clone(), consumer.clone()));
    }
}

/// What the script is told; `None` when the message is not held, or settled already.
fn prepare(link: &Link, consumer: &Consumer, settlement: Settlement, batch: &Rc<Batch>) -> Option<Pending> {
    let mut all = consumer.held.borrow_mut();
    let held = all.get_mut(&settlement.token).filter(|held| !held.settled)?;
    held.settled = true;
    if let Some(failure) = settlement.failure {
        held.entry.push_failure(failure);
    }
    let entry = &mut held.entry;
    let (word, written) = match &settlement.outcome {
        Outcome::Ack => ("ack", Bytes::new()),
        Outcome::Retry { .. } => {
            entry.attempt = entry.attempt.saturating_add(1);
            ("retry", entry.encode())
        }
        Outcome::Dead { reason } => {
            let died_at_ms = link.context.env.clock.now_ms();
            ("dead", DeadLetter { entry: entry.clone(), reason: reason.clone(), died_at_ms }.encode())
        }
        Outcome::Return if entry.attempt == 1 && entry.history.is_empty() => ("return", entry.body.clone()),
        Outcome::Return => ("again", entry.encode()),
    };
    let (token, outcome, field) = (settlement.token, settlement.outcome, held.field.clone());
    Some(Pending { token, outcome, word, field, written, tried: false, batch: batch.clone() })
}

/// Tells the server, batch after batch, until nothing waits.
async fn run(link: Rc<Link>, consumer: Rc<Consumer>) {
    let keys = &consumer.keys;
    let keys = [keys.list.clone(), consumer.taken.clone(), keys.delayed.clone(), keys.dead.clone()];
    let mut pause = FIRST_PAUSE;
    loop {
        let args = gather(&consumer);
        if args.is_empty() {
            return consumer.settling.set(false);
        }
        let answer = link.run(&link.scripts.settle, &keys, &args).await;
        if link.ended.get() && answer.is_err() {
            return;
        }
        let applied = answer.and_then(|answer| {
            let applied: Vec<i64> = answer.list().unwrap_or_default().iter().filter_map(|one| one.int()).collect();
            match applied.len() == args.len() / 4 {
                true => Ok(applied),
                false => Err(CommandError::Unknown("the answer to a settlement is not understood".to_owned())),
            }
        });
        match applied {
            Ok(applied) => {
                pause = FIRST_PAUSE;
                tell(&link, &consumer, &applied);
            }
            Err(error) => {
                put_back(&link, &consumer, &error);
                sleep(pause).await;
                pause = (pause * 2).min(MOST_PAUSE);
            }
        }
    }
}

/// Moves the next ones from waiting to flying, and writes the script's arguments. Returns last, the latest first: each
/// goes to the head of the list.
fn gather(consumer: &Consumer) -> Vec<Bytes> {
    let (mut waiting, mut flying) = (consumer.waiting.borrow_mut(), consumer.flying.borrow_mut());
    flying.clear();
    waiting.make_contiguous().sort_by_key(|pending| match pending.outcome {
        Outcome::Return => (1, u64::MAX - pending.token.0),
        _ => (0, pending.token.0),
    });
    let mut bytes = 0;
    while flying.len() < MOST_SETTLEMENTS && bytes < MOST_BYTES {
        let Some(pending) = waiting.pop_front() else { break };
        bytes += pending.written.len();
        flying.push(pending);
    }
    let args = flying.iter().flat_map(|pending| {
        let delay = match pending.outcome {
            Outcome::Retry { after } => after.as_millis().to_string().into(),
            _ => Bytes::from_static(b"0"),
        };
        [Bytes::from_static(pending.word.as_bytes()), pending.field.clone(), pending.written.clone(), delay]
    });
    args.collect()
}

fn tell(link: &Link, consumer: &Consumer, applied: &[i64]) {
    let events = &link.context.env.events;
    for (pending, applied) in consumer.flying.take().into_iter().zip(applied) {
        if *applied == 1 || pending.tried {
            settled::applied(events, &consumer.queue, &consumer.name, &pending.outcome);
        } else {
            settled::late(events, &consumer.queue, &consumer.name);
            pending.batch.late.borrow_mut().push(pending.token);
        }
        match pending.word {
            "retry" | "again" => {
                let after = if let Outcome::Retry { after } = pending.outcome { after } else { Duration::ZERO };
                link.due_at(&consumer.queue, crate::clock::after(after));
            }
            _ => {}
        }
        consumer.release(pending.token);
        pending.batch.one_done();
    }
}

fn put_back(link: &Link, consumer: &Consumer, error: &CommandError) {
    let mut waiting = consumer.waiting.borrow_mut();
    for mut pending in consumer.flying.take().into_iter().rev() {
        pending.tried |= matches!(error, CommandError::Unknown(_));
        waiting.push_front(pending);
    }
    if let CommandError::Refused { message, .. } = error
        && let Some(times) = link.context.env.events.line_due("settlement refused", &consumer.queue)
    {
        let (queue, consumer) = (&consumer.queue, &consumer.name);
        tracing::warn!(%queue, %consumer, times, "the server refuses settlements: {message}; they are kept and repeated");
    }
}

/// Gives back everything that nobody has settled. For the end of the broker, when nobody will.
pub(super) fn return_rest(link: &Rc<Link>, consumer: &Rc<Consumer>) {
    let unsettled = |(token, held): (&Token, &super::consumer::Held)| (!held.settled).then_some(*token);
    let tokens: Vec<_> = consumer.held.borrow().iter().filter_map(unsettled).collect();
    let back = |token| Settlement::new(token, Outcome::Return);
    settle(link, consumer, tokens.into_iter().map(back).collect::<Vec<_>>().into(), None);
}

/// Counts and logs what could not be told to the server in time.
pub(super) fn give_up(link: &Link, consumer: &Consumer) {
    let (waiting, flying) = (consumer.waiting.take(), consumer.flying.take());
    let lost = waiting.len() + flying.len();
    for pending in waiting.into_iter().chain(flying) {
        link.context.env.events.emit(EventKind::LostSettlement, || Event::LostSettlement {
            queue: consumer.queue.clone(),
            consumer: consumer.name.clone(),
        });
        consumer.release(pending.token);
        pending.batch.lost.set(pending.batch.lost.get() + 1);
        pending.batch.one_done();
    }
    let unsure = consumer.unsure.get();
    consumer.sure();
    if lost > 0 || unsure {
        let (queue, place) = (&consumer.queue, String::from_utf8_lossy(&consumer.taken));
        tracing::warn!(%queue, consumer = %consumer.name, lost, %place, "the broker was closed before these settlements \
            could be applied: their messages stay in that key");
    }
}
