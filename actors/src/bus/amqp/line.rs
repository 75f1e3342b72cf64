//! The line in which messages wait to go out, each with its own deadline: for a connection, or for room among those that are
//! not yet confirmed. It keeps their order, also over an outage.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::outgoing::Outgoing;
use crate::amqp::CommandError;

/// What waits and what is out. No message is ended while the line is borrowed: what it wakes may want the line.
pub(super) struct Line {
    inner: RefCell<Inner>,
    /// How many may wait, and how many may be out.
    most: usize,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Numbered>,
    /// By their place in the line. What was given up is not in here any more.
    out: BTreeMap<u64, Outgoing>,
    next: u64,
    /// No deadline in the line is before this.
    alarm: Option<Instant>,
    is_left: bool,
    writer: Option<Waker>,
    idle: Option<Waker>,
}

/// A message and its place in the line.
pub(super) struct Numbered {
    pub(super) place: u64,
    pub(super) outgoing: Outgoing,
}

impl Inner {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.out.is_empty()
    }

    fn wake_if_idle(&mut self) {
        if self.is_idle()
            && let Some(waker) = self.idle.take()
        {
            waker.wake();
        }
    }
}

impl Line {
    pub(super) fn new(most: usize) -> Self {
        Self { inner: RefCell::default(), most }
    }

    /// Appends a message, or ends it at once if too many wait already.
    pub(super) fn push(&self, outgoing: Outgoing) {
        let mut inner = self.inner.borrow_mut();
        if inner.waiting.len() >= self.most {
            drop(inner);
            let reason = format!("{} messages wait already (setting in_flight)", self.most);
            return outgoing.end(Err(CommandError::NotSent(reason)));
        }
        let deadline = outgoing.deadline();
        if inner.alarm.is_none_or(|alarm| deadline < alarm) {
            inner.alarm = Some(deadline);
        }
        let place = inner.next;
        inner.next += 1;
        inner.waiting.push_back(Numbered { place, outgoing });
        if let Some(waker) = inner.writer.take() {
            waker.wake();
        }
    }

    /// Returns when nothing waits and nothing is out.
    pub(super) async fn idle(&self) {
        poll_fn(|cx| {
            let mut inner = self.inner.borrow_mut();
            if inner.is_idle() {
                return Poll::Ready(());
            }
            inner.idle = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Has the writer look again.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.inner.borrow_mut().writer.take() {
            waker.wake();
        }
    }

    /// Nothing comes any more; the writer ends when nothing is left.
    pub(super) fn leave(&self) {
        self.inner.borrow_mut().is_left = true;
        self.wake();
    }
}

/// The writer's side.
impl Line {
    /// Ready when the writer may end. What is pushed wakes who asked last.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner.borrow_mut();
        if inner.is_left && inner.is_idle() {
            return Poll::Ready(());
        }
        inner.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn alarm(&self) -> Option<Instant> {
        self.inner.borrow().alarm
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.inner.borrow().waiting.is_empty()
    }

    /// Whether nobody waits for what is out.
    pub(super) fn is_nothing_out(&self) -> bool {
        self.inner.borrow().out.is_empty()
    }

    /// How many may be out.
    pub(super) fn most_out(&self) -> usize {
        self.most
    }

    /// Takes what waits, up to `room`.
    pub(super) fn take(&self, room: usize) -> VecDeque<Numbered> {
        let waiting = &mut self.inner.borrow_mut().waiting;
        if waiting.len() <= room { std::mem::take(waiting) } else { waiting.drain(..room).collect() }
    }

    /// Keeps what is out until it comes back.
    pub(super) fn went_out(&self, Numbered { place, outgoing }: Numbered) {
        self.inner.borrow_mut().out.insert(place, outgoing);
    }

    /// What was out at this place, unless it was given up meanwhile.
    pub(super) fn came_back(&self, place: u64) -> Option<Outgoing> {
        self.inner.borrow_mut().out.remove(&place)
    }

    /// Tells who waits for the line to be idle. To be called when messages were ended.
    pub(super) fn ended_some(&self) {
        self.inner.borrow_mut().wake_if_idle();
    }

    /// Puts back to its place what never went out.
    pub(super) fn put_back(&self, one: Numbered) {
        let waiting = &mut self.inner.borrow_mut().waiting;
        let at = waiting.partition_point(|other| other.place < one.place);
        waiting.insert(at, one);
    }

    /// Ends what is past its deadline, what waits with `refusal`, and sets the alarm for what comes next.
    pub(super) fn sweep(&self, now: Instant, refusal: impl FnOnce() -> CommandError) {
        self.end_if(|one| one.deadline() <= now, refusal, "the server has not confirmed it within the deadline");
    }

    /// Ends all that is left.
    pub(super) fn end_all(&self, refusal: &CommandError) {
        self.end_if(|_| true, || refusal.clone(), "the connection was closed before the server confirmed it");
    }

    fn end_if(&self, due: impl Fn(&Outgoing) -> bool, refusal: impl FnOnce() -> CommandError, unconfirmed: &str) {
        let mut unsent = VecDeque::new();
        let unknown: Vec<_>;
        {
            let mut inner = self.inner.borrow_mut();
            if inner.waiting.iter().any(|one| due(&one.outgoing)) {
                (unsent, inner.waiting) =
                    std::mem::take(&mut inner.waiting).into_iter().partition(|one| due(&one.outgoing));
            }
            let places: Vec<_> = inner.out.iter().filter(|(_, one)| due(one)).map(|(place, _)| *place).collect();
            unknown = places.into_iter().filter_map(|place| inner.out.remove(&place)).collect();
            let left = inner.waiting.iter().map(|one| &one.outgoing).chain(inner.out.values());
            inner.alarm = left.map(Outgoing::deadline).min();
        }
        if !unsent.is_empty() {
            let refusal = refusal();
            unsent.into_iter().for_each(|one| one.outgoing.end(Err(refusal.clone())));
        }
        let error = CommandError::Unknown(unconfirmed.to_owned());
        unknown.into_iter().for_each(|one| one.end(Err(error.clone())));
        self.ended_some();
    }
}
