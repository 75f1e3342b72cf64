use super::Job;
use crate::redis::{CommandError, Connection};
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    task::{Context, Poll, Waker},
};
use tokio::time::Instant;

/// What the line and its writer share.
pub(super) struct Queue<J> {
    inner: RefCell<Inner<J>>,
    connection: Connection,
}

struct Inner<J> {
    waiting: VecDeque<Numbered<J>>,
    /// What is out, by the number of its parcel. One that was answered before its parcel was leaves a gap.
    out: BTreeMap<u64, Vec<Option<Numbered<J>>>>,
    jobs_out: usize,
    next: u64,
    /// No deadline in the line is before this.
    alarm: Option<Instant>,
    is_left: bool,
    writer: Option<Waker>,
    idle: Option<Waker>,
}

/// A job and its place in the line.
pub(super) struct Numbered<J> {
    pub(super) place: u64,
    pub(super) job: J,
}

impl<J> Inner<J> {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.jobs_out == 0
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    fn wake_if_idle(&mut self) {
        if self.is_idle()
            && let Some(waker) = self.idle.take()
        {
            waker.wake();
        }
    }
}

/// The line's side.
impl<J: Job> Queue<J> {
    pub(super) fn new(connection: Connection) -> Self {
        let inner = Inner {
            waiting: VecDeque::new(),
            out: BTreeMap::new(),
            jobs_out: 0,
            next: 0,
            alarm: None,
            is_left: false,
            writer: None,
            idle: None,
        };
        Self { inner: RefCell::new(inner), connection }
    }

    /// Appends a job, or ends it at once if too many wait already.
    pub(super) fn push(&self, job: J) {
        let mut inner = self.inner.borrow_mut();
        let gate = &self.connection.shared.gate;
        let settings = &self.connection.shared.settings;
        let room = if gate.is_open() { settings.max_in_flight.get().saturating_sub(inner.jobs_out) } else { 0 };
        if inner.waiting.len() >= settings.max_waiting.get().saturating_add(room) {
            let error = gate.too_many(inner.waiting.len());
            drop(inner);
            return job.end(Err(error));
        }
        let deadline = job.deadline();
        if inner.alarm.is_none_or(|alarm| deadline < alarm) {
            inner.alarm = Some(deadline);
        }
        let place = inner.next;
        inner.next += 1;
        inner.waiting.push_back(Numbered { place, job });
        inner.wake_writer();
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

    /// Nothing comes any more.
    pub(super) fn leave(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.is_left = true;
        inner.wake_writer();
    }
}

/// The writer's side. No job is ended while the queue is borrowed: what it wakes may want the queue.
impl<J: Job> Queue<J> {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Ready when the writer may end: nobody has the line, and nothing is in it. What is pushed wakes who asked last.
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

    /// Whether something waits for which there is room.
    pub(super) fn has_work(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.waiting.is_empty() && inner.jobs_out < self.connection.shared.settings.max_in_flight.get()
    }

    /// To be called when jobs were ended that [`take`](Self::take) gave out.
    pub(super) fn ended_some(&self) {
        self.inner.borrow_mut().wake_if_idle();
    }

    /// Takes what waits, as much as there is room for. What is past its deadline is ended.
    pub(super) fn take(&self, now: Instant) -> VecDeque<Numbered<J>> {
        let taken = {
            let mut inner = self.inner.borrow_mut();
            let room = self.connection.shared.settings.max_in_flight.get().saturating_sub(inner.jobs_out);
            if inner.waiting.len() <= room {
                std::mem::take(&mut inner.waiting)
            } else {
                inner.waiting.drain(..room).collect()
            }
        };
        if taken.iter().all(|one| one.job.deadline() > now) {
            return taken;
        }
        let (due, rest): (VecDeque<_>, _) = taken.into_iter().partition(|one| one.job.deadline() <= now);
        for one in due {
            one.job.end(Err(self.connection.shared.gate.refusal()));
        }
        rest
    }

    /// Keeps the jobs of a parcel until its answer.
    pub(super) fn went_out(&self, parcel: u64, jobs: Vec<Numbered<J>>) {
        let mut inner = self.inner.borrow_mut();
        inner.jobs_out += jobs.len();
        inner.out.insert(parcel, jobs.into_iter().map(Some).collect());
    }

    /// The jobs of a parcel that were not given up meanwhile, each at its place in the parcel.
    pub(super) fn came_back(&self, parcel: u64) -> Vec<Option<Numbered<J>>> {
        let mut inner = self.inner.borrow_mut();
        let jobs = inner.out.remove(&parcel).unwrap_or_default();
        inner.jobs_out -= jobs.iter().flatten().count();
        inner.wake_if_idle();
        jobs
    }

    /// Puts jobs that never went out back to their places.
    pub(super) fn put_back(&self, jobs: impl IntoIterator<Item = Numbered<J>>) {
        let mut inner = self.inner.borrow_mut();
        inner.waiting.extend(jobs);
        inner.waiting.make_contiguous().sort_by_key(|one| one.place);
    }

    /// Ends what is past its deadline, and sets the alarm for what comes next.
    pub(super) fn sweep(&self, now: Instant) {
        let mut unsent = VecDeque::new();
        let mut unknown = Vec::new();
        {
            let mut inner = self.inner.borrow_mut();
            let due = |one: &Numbered<J>| one.job.deadline() <= now;
            if inner.waiting.iter().any(due) {
                let (past, rest): (VecDeque<_>, VecDeque<_>) =
                    std::mem::take(&mut inner.waiting).into_iter().partition(due);
                unsent = past;
                inner.waiting = rest;
            }
            unknown.extend(inner.out.values_mut().flatten().filter_map(|one| one.take_if(|one| due(one))));
            inner.jobs_out -= unknown.len();
            let left = inner.waiting.iter().chain(inner.out.values().flatten().flatten());
            inner.alarm = left.map(|one| one.job.deadline()).min();
            inner.wake_if_idle();
        }
        for one in unsent {
            one.job.end(Err(self.connection.shared.gate.refusal()));
        }
        for one in unknown {
            one.job.end(Err(CommandError::Unknown("no answer within the deadline".to_owned())));
        }
    }

    /// Ends all that waits.
    pub(super) fn refuse_all(&self, error: &CommandError) {
        let waiting = std::mem::take(&mut self.inner.borrow_mut().waiting);
        for one in waiting {
            one.job.end(Err(error.clone()));
        }
        self.inner.borrow_mut().wake_if_idle();
    }
}
