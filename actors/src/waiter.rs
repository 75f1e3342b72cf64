//! The waiter: correlates answers with calls, by the id of the call.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use formicary_protocol::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use crate::contract::{Answers, CallMode, Permit, port};
use crate::error::CallError;
use crate::events::{Event, EventKind, Events};

/// How many calls that have ended are remembered, to tell a late or duplicate answer from one to another process.
const REMEMBERED: usize = 8_192;
/// After so many calls, those whose callers have left are looked for.
const SWEEP_EVERY: u64 = 256;

port! {
    /// The way to a waiter.
    pub(crate) WaiterPort,
    /// Starts a waiter on the current arbiter. It ends with its last port.
    WaiterMessage { Expect, Answered, Fail, FailAll }
}

/// One waiter stands beside each bus adapter, on its arbiter.
pub(crate) struct Waiter {
    pending: HashMap<Arc<str>, Waiting>,
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    ended: HashMap<Arc<str>, Ended>,
    ended_order: VecDeque<Arc<str>>,
    alarm: Option<(Instant, SpawnHandle)>,
    expected: u64,
    events: Events,
}

struct Waiting {
    signal: Arc<str>,
    since: Instant,
    deadline: Instant,
    mode: CallMode,
    /// Errors come before their answer, on a channel of their own.
    failures: Vec<(Arc<str>, Bytes)>,
    _permit: Option<Permit>,
}

#[derive(Clone, Copy)]
enum Ended {
    Answered,
    Late,
}

/// Expect answers to a call. Comes before the call is published.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Expect {
    pub(crate) id: Arc<str>,
    pub(crate) signal: Arc<str>,
    pub(crate) deadline: Instant,
    pub(crate) mode: CallMode,
    pub(crate) permit: Option<Permit>,
}

/// An answer, or the errors that come before one, arrived.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Answered {
    pub(crate) responder: Arc<str>,
    pub(crate) call: Arc<str>,
    pub(crate) body: Bytes,
    pub(crate) is_error: bool,
}

/// A call cannot be answered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Fail {
    pub(crate) id: Arc<str>,
    pub(crate) error: CallError,
}

/// The connection is gone, and with it whatever answers were under way.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FailAll {
    pub(crate) reason: String,
}

impl Waiter {
    /// Starts one on the current arbiter.
    pub(crate) fn begin(events: Events) -> WaiterPort {
        WaiterPort::start(Self {
            pending: HashMap::new(),
            deadlines: BTreeSet::new(),
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
            alarm: None,
            expected: 0,
            events,
        })
    }

    fn end(&mut self, id: &Arc<str>, how: Ended) -> Option<Waiting> {
        let waiting = self.pending.remove(id)?;
        self.deadlines.remove(&(waiting.deadline, id.clone()));
        self.ended.insert(id.clone(), how);
        self.ended_order.push_back(id.clone());
        if self.ended_order.len() > REMEMBERED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        Some(waiting)
    }

    /// A caller that has dropped its call is not heard of; without this, its permit would be held until its deadline.
    fn sweep(&mut self) {
        let left = |waiting: &Waiting| match &waiting.mode {
            CallMode::First(reply) => reply.is_abandoned(),
            CallMode::All(stream) => stream.is_closed(),
        };
        let ids: Vec<_> = self.pending.iter().filter(|(_, waiting)| left(waiting)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.end(&id, Ended::Late);
        }
    }

    fn fail(&mut self, id: &Arc<str>, error: CallError) {
        match self.end(id, Ended::Late).map(|waiting| waiting.mode) {
            Some(CallMode::First(reply)) => reply.send(Err(error)),
            // A full stream has an answer in it, which says more than this error.
            Some(CallMode::All(stream)) => drop(stream.try_send(Err(error))),
            None => {}
        }
    }

    /// One alarm for the earliest deadline. It is not moved when that call ends before: it rings, finds nothing, and
    /// is set again for the next, so a call costs no timer of its own.
    fn set_alarm(&mut self, context: &mut Context<Self>) {
        let Some((earliest, _)) = self.deadlines.first() else { return };
        match self.alarm {
            Some((at, _)) if at <= *earliest => return,
            Some((_, handle)) => drop(context.cancel_future(handle)),
            None => {}
        }
        let wait = earliest.saturating_duration_since(Instant::now());
        self.alarm = Some((*earliest, context.run_later(wait, Self::ring)));
    }

    fn ring(&mut self, context: &mut Context<Self>) {
        self.alarm = None;
        let now = Instant::now();
        while let Some((deadline, id)) = self.deadlines.first().cloned()
            && deadline <= now
        {
            let Some(waiting) = self.pending.get(&id) else {
                self.deadlines.pop_first();
                continue;
            };
            if matches!(waiting.mode, CallMode::All(_)) {
                // The end of a stream is its deadline: no error.
                self.end(&id, Ended::Late);
                continue;
            }
            let error = CallError::Timeout {
                signal: waiting.signal.to_string(),
                after: waiting.deadline.saturating_duration_since(waiting.since),
            };
            self.fail(&id, error);
        }
        self.set_alarm(context);
    }

    /// Answers to calls of other processes come here too; only those to calls of ours count as late or duplicate.
    fn count_stray(&self, call: &Arc<str>) {
        match self.ended.get(call) {
            Some(Ended::Answered) => {
                self.events.emit(EventKind::DuplicateAnswer, || Event::DuplicateAnswer { call: call.clone() });
            }
            Some(Ended::Late) => {
                self.events.emit(EventKind::LateAnswer, || Event::LateAnswer { call: call.clone() });
            }
            None => {}
        }
    }
}

impl Actor for Waiter {
    type Context = Context<Self>;
}

impl Handler<Expect> for Waiter {
    type Result = ();

    fn handle(&mut self, expect: Expect, context: &mut Context<Self>) {
        let Expect { id, signal, deadline, mode, permit } = expect;
        self.expected += 1;
        if self.expected.is_multiple_of(SWEEP_EVERY) {
            self.sweep();
        }
        self.deadlines.insert((deadline, id.clone()));
        let since = Instant::now();
        let waiting = Waiting { signal, since, deadline, mode, failures: Vec::new(), _permit: permit };
        self.pending.insert(id, waiting);
        self.set_alarm(context);
    }
}

impl Handler<Answered> for Waiter {
    type Result = ();

    fn handle(&mut self, answered: Answered, _: &mut Context<Self>) {
        let Answered { responder, call, body, is_error } = answered;
        let Some(waiting) = self.pending.get_mut(&call) else {
            if !is_error {
                self.count_stray(&call);
            }
            return;
        };
        if is_error {
            // One entry a responder: a responder that repeats itself must not fill our memory.
            waiting.failures.retain(|(by, _)| *by != responder);
            if waiting.failures.len() < 64 {
                waiting.failures.push((responder, body));
            }
            return;
        }
        let at = waiting.failures.iter().position(|(by, _)| *by == responder);
        let failures = at.map(|at| waiting.failures.swap_remove(at).1);
        let answers = Answers { responder, body, failures };
        match &waiting.mode {
            CallMode::All(stream) => match stream.try_send(Ok(answers)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    self.events.emit(EventKind::LateAnswer, || Event::LateAnswer { call: call.clone() });
                }
                Err(TrySendError::Closed(_)) => drop(self.end(&call, Ended::Late)),
            },
            CallMode::First(reply) if reply.is_abandoned() => {
                self.end(&call, Ended::Late);
                self.count_stray(&call);
            }
            CallMode::First(_) => {
                if let Some(Waiting { mode: CallMode::First(reply), .. }) = self.end(&call, Ended::Answered) {
                    reply.send(Ok(answers));
                }
            }
        }
    }
}

impl Handler<Fail> for Waiter {
    type Result = ();

    fn handle(&mut self, fail: Fail, _: &mut Context<Self>) {
        self.fail(&fail.id, fail.error);
    }
}

impl Handler<FailAll> for Waiter {
    type Result = ();

    fn handle(&mut self, fail: FailAll, _: &mut Context<Self>) {
        // In the order of the deadlines, not of the map, so that a run can be repeated.
        for (_, id) in std::mem::take(&mut self.deadlines) {
            let Some(signal) = self.pending.get(&id).map(|waiting| waiting.signal.to_string()) else { continue };
            self.fail(&id, CallError::Disconnected { signal, reason: fail.reason.clone() });
        }
    }
}
