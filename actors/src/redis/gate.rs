//! The line in which commands wait: for a connection, or for room among those in flight.
//!
//! Strictly first come, first served, also across an outage: signals of one sender stay in order.

use super::{CommandError, link::Wire};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};
use tokio::time::{Instant, timeout_at};

pub(super) struct Gate {
    line: RefCell<Line>,
}

struct Line {
    wire: Option<Wire>,
    shut: bool,
    why_down: String,
    in_flight: usize,
    max_in_flight: usize,
    waiting: BTreeMap<u64, Option<Waker>>,
    max_waiting: usize,
    next_ticket: u64,
    idle: Option<Waker>,
}

/// Room for one command on a living connection.
pub(super) struct Permit {
    gate: Rc<Gate>,
    pub(super) wire: Wire,
    /// Whether it had to wait in line.
    pub(super) waited: bool,
}

struct Ticket<'a> {
    gate: &'a Gate,
    number: u64,
}

impl Line {
    // A wire whose router has ended takes commands and never answers them: it counts as down from that moment.
    fn room(&self) -> Option<&Wire> {
        self.wire.as_ref().filter(|wire| wire.alive() && self.in_flight < self.max_in_flight)
    }

    fn wake_first(&mut self) {
        if let Some(waker) = self.waiting.first_entry().and_then(|mut first| first.get_mut().take()) {
            waker.wake();
        }
    }

    fn wake_if_idle(&mut self) {
        if self.in_flight == 0
            && self.waiting.is_empty()
            && let Some(waker) = self.idle.take()
        {
            waker.wake();
        }
    }

    fn refusal(&self) -> CommandError {
        CommandError::NotSent(match (self.shut, &self.wire) {
            (true, _) => "the connection is closed".to_owned(),
            (_, Some(_)) => {
                "the server is too slow: no room among the commands in flight within the deadline".to_owned()
            }
            (_, None) => format!("no connection within the deadline ({})", self.why_down),
        })
    }
}

impl Gate {
    pub(super) fn new(max_in_flight: usize, max_waiting: usize) -> Rc<Self> {
        let line = Line {
            wire: None,
            shut: false,
            why_down: "connecting".to_owned(),
            in_flight: 0,
            max_in_flight,
            waiting: BTreeMap::new(),
            max_waiting,
            next_ticket: 0,
            idle: None,
        };
        Rc::new(Self { line: RefCell::new(line) })
    }

    /// Waits for a turn until `deadline`. What is awaited right after must start in the same poll, or order is lost.
    pub(super) async fn enter(self: &Rc<Self>, deadline: Instant) -> Result<Permit, CommandError> {
        if let Some(entered) = self.try_enter() {
            return entered;
        }
        let waiting = self.line.borrow().waiting.len();
        if waiting >= self.line.borrow().max_waiting {
            return Err(self.too_many(waiting));
        }
        match timeout_at(deadline, self.wait()).await {
            Ok(result) => result,
            Err(_) => Err(self.refusal()),
        }
    }

    /// Waits for a turn, however long and however many wait: for those that bound both themselves.
    pub(super) async fn enter_whenever(self: &Rc<Self>) -> Result<Permit, CommandError> {
        match self.try_enter() {
            Some(entered) => entered,
            None => self.wait().await,
        }
    }

    fn try_enter(self: &Rc<Self>) -> Option<Result<Permit, CommandError>> {
        let mut line = self.line.borrow_mut();
        if line.shut {
            return Some(Err(line.refusal()));
        }
        let wire = line.room().filter(|_| line.waiting.is_empty())?.clone();
        line.in_flight += 1;
        Some(Ok(Permit { gate: self.clone(), wire, waited: false }))
    }

    async fn wait(self: &Rc<Self>) -> Result<Permit, CommandError> {
        let ticket = {
            let mut line = self.line.borrow_mut();
            let number = line.next_ticket;
            line.next_ticket += 1;
            line.waiting.insert(number, None);
            Ticket { gate: self, number }
        };
        poll_fn(|cx| {
            let mut line = self.line.borrow_mut();
            if line.shut {
                return Poll::Ready(Err(line.refusal()));
            }
            let first = line.waiting.first_key_value().is_some_and(|(first, _)| *first == ticket.number);
            if first && let Some(wire) = line.room().cloned() {
                line.in_flight += 1;
                return Poll::Ready(Ok(Permit { gate: self.clone(), wire, waited: true }));
            }
            line.waiting.insert(ticket.number, Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// Whether there is a connection.
    pub(super) fn is_open(&self) -> bool {
        self.line.borrow().wire.as_ref().is_some_and(Wire::alive)
    }

    /// What a command is told that has waited in vain.
    pub(super) fn refusal(&self) -> CommandError {
        self.line.borrow().refusal()
    }

    /// What a command is told that may not wait.
    pub(super) fn too_many(&self, waiting: usize) -> CommandError {
        CommandError::NotSent(format!("{waiting} commands wait already ({})", self.line.borrow().why_down))
    }

    pub(super) fn open(&self, wire: Wire) {
        let mut line = self.line.borrow_mut();
        line.wire = Some(wire);
        line.wake_first();
    }

    pub(super) fn close(&self, why: String) {
        let mut line = self.line.borrow_mut();
        line.wire = None;
        line.why_down = why;
    }

    /// Refuses everything from now on, also what waits in line.
    pub(super) fn shut(&self) {
        let mut line = self.line.borrow_mut();
        line.shut = true;
        line.wire = None;
        line.waiting.values_mut().filter_map(Option::take).for_each(Waker::wake);
    }

    /// Returns when nothing waits and nothing is in flight.
    pub(super) async fn idle(&self) {
        poll_fn(|cx| {
            let mut line = self.line.borrow_mut();
            if line.in_flight == 0 && line.waiting.is_empty() {
                return Poll::Ready(());
            }
            line.idle = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut line = self.gate.line.borrow_mut();
        line.in_flight -= 1;
        line.wake_first();
        line.wake_if_idle();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut line = self.gate.line.borrow_mut();
        line.waiting.remove(&self.number);
        if line.room().is_some() {
            line.wake_first();
        }
        line.wake_if_idle();
    }
}
