use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::Job;
use super::out::{Answer, Ended, Out, Returned};
use crate::AdapterContext;
use crate::amqp::CommandError;
use crate::broker::amqp::topology::{To, Topology};

/// What the line and its writer share.
pub(super) struct Queue {
    inner: RefCell<Inner>,
    context: Rc<AdapterContext>,
    topology: Rc<Topology>,
}

struct Inner {
    waiting: VecDeque<Box<Job>>,
    out: Out,
    /// The number of the next that goes out.
    next: u64,
    /// No deadline in the line is before this.
    alarm: Option<Instant>,
    /// Why nothing goes out now.
    obstacle: String,
    is_left: bool,
    /// Why nothing is taken any more.
    over: Option<String>,
    writer: Option<Waker>,
    idle: Option<Waker>,
}

impl Inner {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.out.is_empty()
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
impl Queue {
    pub(super) fn new(context: Rc<AdapterContext>, topology: Rc<Topology>) -> Self {
        let inner = Inner {
            waiting: VecDeque::new(),
            out: Out::default(),
            next: 0,
            alarm: None,
            obstacle: "it waited too long for its turn".to_owned(),
            is_left: false,
            over: None,
            writer: None,
            idle: None,
        };
        Self { inner: RefCell::new(inner), context, topology }
    }

    pub(super) fn push(&self, job: Job) {
        let mut inner = self.inner.borrow_mut();
        if let Some(why) = inner.over.clone() {
            drop(inner);
            return job.end(Err(CommandError::NotSent(why)));
        }
        if let Some(deadline) = job.deadline
            && inner.alarm.is_none_or(|alarm| deadline < alarm)
        {
            inner.alarm = Some(deadline);
        }
        inner.waiting.push_back(Box::new(job));
        inner.wake_writer();
    }

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

    pub(super) fn leave(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.is_left = true;
        inner.wake_writer();
    }

    pub(super) fn end_all(&self, why: &str) {
        let (waiting, out) = {
            let mut inner = self.inner.borrow_mut();
            inner.over = Some(why.to_owned());
            inner.wake_writer();
            (std::mem::take(&mut inner.waiting), inner.out.take_all())
        };
        out.into_iter().for_each(|job| job.end(Err(CommandError::Unknown(why.to_owned()))));
        waiting.into_iter().for_each(|job| job.end(Err(CommandError::NotSent(why.to_owned()))));
        self.inner.borrow_mut().wake_if_idle();
    }
}

/// The writer's side. No job is ended while the queue is borrowed: what it wakes may want the queue.
impl Queue {
    /// Ready when the writer may end. What is pushed wakes who asked last.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner.borrow_mut();
        if (inner.is_left || inner.over.is_some()) && inner.is_idle() {
            return Poll::Ready(());
        }
        inner.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn alarm(&self) -> Option<Instant> {
        self.inner.borrow().alarm
    }

    /// Where the first that waits wants to go.
    pub(super) fn first(&self) -> Option<To> {
        self.inner.borrow().waiting.front().map(|job| job.to.clone())
    }

    pub(super) fn has_work(&self) -> bool {
        !self.inner.borrow().waiting.is_empty()
    }

    pub(super) fn obstacle(&self, why: &str) {
        let mut inner = self.inner.borrow_mut();
        inner.obstacle.clear();
        inner.obstacle.push_str(why);
    }

    /// Ends those at the front that go where the server lets nothing go.
    pub(super) fn refuse_first(&self, to: &To, error: &CommandError) {
        let refused: Vec<_> = {
            let mut inner = self.inner.borrow_mut();
            let alike = inner.waiting.iter().take_while(|job| job.to.queue == to.queue).count();
            inner.waiting.drain(..alike).collect()
        };
        refused.into_iter().for_each(|job| job.end(Err(error.clone())));
        self.inner.borrow_mut().wake_if_idle();
    }

    /// The next that goes out, and its number: one that is declared, still wanted, and in time.
    pub(super) fn next<T>(&self, now: Instant, prepare: impl Fn(&Job) -> Option<T>) -> Option<(u64, T)> {
        loop {
            let mut inner = self.inner.borrow_mut();
            let first = inner.waiting.front()?;
            let why = if first.is_due(now) {
                inner.obstacle.clone()
            } else if !first.is_wanted() {
                "it is not wanted any more".to_owned()
            } else {
                let prepared = prepare(first)?;
                let job = inner.waiting.pop_front()?;
                let number = inner.next;
                inner.next += 1;
                inner.out.insert(number, job);
                return Some((number, prepared));
            };
            let job = inner.waiting.pop_front();
            drop(inner);
            job.into_iter().for_each(|job| job.end(Err(CommandError::NotSent(why.clone()))));
            self.inner.borrow_mut().wake_if_idle();
        }
    }

    /// What the server answered to those that are out.
    pub(super) fn answered(&self, answers: Vec<Answer>) {
        let is_it = |job: &Job, returned: &Returned| {
            let address = self.topology.address(&job.to);
            *job.properties.message_id() == returned.id
                && address.is_none_or(|address| address.exchange == returned.exchange && address.key == returned.key)
        };
        let ended = self.inner.borrow_mut().out.answered(answers, is_it);
        for Ended { job, outcome, is_unroutable } in ended {
            if is_unroutable {
                self.topology.forget();
                let why = unroutable(&job);
                job.end(Err(CommandError::NotSent(why)));
                continue;
            }
            if outcome.is_ok() {
                self.told(&job);
            }
            job.end(outcome);
        }
        self.inner.borrow_mut().wake_if_idle();
    }

    fn told(&self, job: &Job) {
        if matches!(job.done, super::Done::Part(_)) {
            self.context.env.told_queued(&job.to.queue);
        }
    }

    /// Puts back those that were not written, to the front in their old order.
    pub(super) fn put_back(&self, mut numbers: Vec<u64>) {
        let mut inner = self.inner.borrow_mut();
        numbers.sort_unstable();
        for number in numbers.into_iter().rev() {
            if let Some(job) = inner.out.remove(number) {
                inner.waiting.push_front(job);
            }
        }
    }

    /// Ends what is past its deadline, and sets the alarm for what comes next.
    pub(super) fn sweep(&self, now: Instant) {
        let (unsent, unknown, why) = {
            let mut inner = self.inner.borrow_mut();
            let mut unsent = VecDeque::new();
            if inner.waiting.iter().any(|job| job.is_due(now)) {
                let (due, rest) = std::mem::take(&mut inner.waiting).into_iter().partition(|job| job.is_due(now));
                (unsent, inner.waiting) = (due, rest);
            }
            let unknown = inner.out.give_up_due(now);
            let waits = inner.waiting.iter().filter_map(|job| job.deadline).min();
            inner.alarm = waits.into_iter().chain(inner.out.earliest()).min();
            inner.wake_if_idle();
            (unsent, unknown, inner.obstacle.clone())
        };
        unsent.into_iter().for_each(|job| job.end(Err(CommandError::NotSent(why.clone()))));
        let late = || CommandError::Unknown("the server did not confirm it within the deadline".to_owned());
        unknown.into_iter().for_each(|job| job.end(Err(late())));
    }
}

fn unroutable(job: &Job) -> String {
    format!("unroutable: at the server no queue takes it (sent to `{}`)", job.to.queue)
}
