use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::{Bytes, DeadLetter, DeadReason, Entry};

use super::connection::Link;
use super::field::Field;
use super::held::What;
use super::reasons::word;
use crate::broker::batch::Batch;
use crate::contract::{Outcome, Outgoing, Seen, Settlement, Token};

/// The longest time for which a key is remembered, some 30,000 years: with more the server could not count.
const MOST_WINDOW_MS: u128 = 1_000_000_000_000_000;

/// A settlement on its way to the server.
pub(super) struct Pending {
    pub(super) token: Token,
    pub(super) field: Field,
    pub(super) outcome: Outcome,
    pub(super) step: Step,
    /// It may have been applied already, by a script whose answer was lost.
    pub(super) tried: bool,
    pub(super) batch: Option<Rc<Batch>>,
}

/// What the script does for it.
pub(super) enum Step {
    Ack,
    AckWith {
        seen: Option<Seen>,
        outbox: Vec<Parcel>,
    },
    Retry {
        entry: Bytes,
        delay_ms: u128,
    },
    Again {
        entry: Bytes,
    },
    /// Back to the list as it came: its body is in the place already.
    Return,
    Dead {
        letter: Bytes,
        reason: &'static str,
    },
}

/// A message that is sent with an acknowledgement: as a body to the list, or with a delay as an entry.
pub(super) struct Parcel {
    pub(super) queue: Arc<str>,
    pub(super) delay_ms: u128,
    what: Bytes,
}

impl Parcel {
    fn new(link: &Link, outgoing: Outgoing) -> Self {
        let Outgoing { queue, body, options } = outgoing;
        let env = &link.context.env;
        match options.delay {
            None => Self { queue, delay_ms: 0, what: body },
            // A delay of nothing is one all the same: its message has an id.
            Some(delay) => {
                let what = Entry::new(&env.ids.id(), env.clock.now_ms(), body).encode();
                Self { queue, delay_ms: delay.as_millis().max(1), what }
            }
        }
    }
}

impl Pending {
    pub(super) fn new(link: &Link, field: Field, what: What, settlement: Settlement, batch: Option<Rc<Batch>>) -> Self {
        let Settlement { token, outcome, failure, outbox, seen } = settlement;
        let entry = || {
            let mut entry = what.into_entry();
            failure.into_iter().for_each(|failure| entry.push_failure(failure));
            entry
        };
        let step = match &outcome {
            Outcome::Ack if outbox.is_empty() && seen.is_none() => Step::Ack,
            Outcome::Ack => {
                Step::AckWith { seen, outbox: outbox.into_iter().map(|one| Parcel::new(link, one)).collect() }
            }
            Outcome::Retry { after } => {
                let mut entry = entry();
                entry.attempt = entry.attempt.saturating_add(1);
                Step::Retry { entry: entry.encode(), delay_ms: after.as_millis() }
            }
            Outcome::Dead { reason } => dead(entry(), reason, link.context.env.clock.now_ms()),
            Outcome::Return => match entry() {
                untouched if untouched.attempt == 1 && untouched.history.is_empty() => Step::Return,
                entry => Step::Again { entry: entry.encode() },
            },
        };
        Self { token, field, outcome, step, tried: false, batch }
    }
}

fn dead(entry: Entry, reason: &DeadReason, died_at_ms: u64) -> Step {
    Step::Dead { letter: DeadLetter { entry, reason: reason.clone(), died_at_ms }.encode(), reason: word(reason) }
}

impl Step {
    /// About how large it is for the server.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Ack | Self::Return => 0,
            Self::AckWith { outbox, .. } => outbox.iter().map(|parcel| parcel.what.len()).sum(),
            Self::Retry { entry, .. } | Self::Again { entry } => entry.len(),
            Self::Dead { letter, .. } => letter.len(),
        }
    }

    pub(super) fn is_return(&self) -> bool {
        matches!(self, Self::Return)
    }

    /// The queues to which it sends.
    pub(super) fn queues(&self) -> impl Iterator<Item = &Arc<str>> {
        let outbox = if let Self::AckWith { outbox, .. } = self { outbox.as_slice() } else { &[] };
        outbox.iter().map(|parcel| &parcel.queue)
    }

    /// The arguments of the script, unless it is a plain acknowledgement: those go together.
    pub(super) fn write(&self, field: Field, queues: &[Arc<str>], args: &mut Vec<Bytes>) {
        let word = |word: &'static str| Bytes::from_static(word.as_bytes());
        match self {
            Self::Ack => {}
            Self::AckWith { seen, outbox } => {
                let (key, window) = seen.as_ref().map_or_else(Default::default, |seen| {
                    (
                        Bytes::copy_from_slice(seen.key.as_bytes()),
                        seen.window.as_millis().clamp(1, MOST_WINDOW_MS).to_string(),
                    )
                });
                args.extend([word("ack"), field.bytes(), key, window.into(), outbox.len().to_string().into()]);
                for parcel in outbox {
                    let place = queues.iter().position(|queue| *queue == parcel.queue).map_or(0, |index| index + 1);
                    let delay = parcel.delay_ms.to_string();
                    args.extend([place.to_string().into(), delay.into(), parcel.what.clone()]);
                }
            }
            Self::Retry { entry, delay_ms } => {
                args.extend([word("retry"), field.bytes(), entry.clone(), delay_ms.to_string().into()]);
            }
            Self::Again { entry } => args.extend([word("again"), field.bytes(), entry.clone()]),
            Self::Return => args.extend([word("return"), field.bytes()]),
            Self::Dead { letter, reason } => args.extend([word("dead"), field.bytes(), letter.clone(), word(reason)]),
        }
    }
}
