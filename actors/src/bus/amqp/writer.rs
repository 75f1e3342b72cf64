//! The task that sends what waits in the line, and tells what became of it.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use lapin::message::BasicReturnMessage;
use tokio::time::Instant;

use super::line::{Line, Numbered};
use super::live::Live;
use super::names::take_apart;
use super::shared::Shared;
use crate::amqp::{Alarm, CommandError, Fate, Unconfirmed};
use crate::error::CallError;
use crate::waiter::Fail;

pub(super) async fn run(shared: Rc<Shared>) {
    let line = &shared.line;
    let mut out = Unconfirmed::default();
    let mut current: Option<Rc<Live>> = None;
    let waited = Cell::new(false);
    let mut alarm = Alarm::new();
    loop {
        let room = line.most_out().saturating_sub(out.len());
        // No waker in here: what changes the line or the connection wakes this task, which asks everything again.
        let turn = poll_fn(|_| {
            if room == 0 || !line.is_waiting() {
                return Poll::Pending;
            }
            let live = shared.live().filter(|live| live.blocked().is_none() && may_begin(line, &current, live));
            waited.set(waited.get() || live.is_none());
            live.map_or(Poll::Pending, Poll::Ready)
        });
        tokio::select! {
            biased;
            () = poll_fn(|cx| line.poll_over(cx)) => return,
            fates = poll_fn(|cx| out.poll_fates(cx)) => {
                if let Some(live) = &current {
                    fates.into_iter().for_each(|(place, fate)| came_back(&shared, live, place, fate));
                }
                line.ended_some();
            }
            now = poll_fn(|cx| alarm.poll(line.alarm(), cx)) => line.sweep(now, || shared.refusal()),
            live = turn => {
                if !is_same(&current, &live) {
                    // Nobody waits for what is left of the connection before.
                    out.clear();
                    current = Some(live.clone());
                }
                let now = Instant::now();
                for mut one in line.take(room) {
                    if one.outgoing.deadline() <= now {
                        one.outgoing.end(Err(shared.refusal()));
                    } else if !one.outgoing.ready(waited.get()) {
                        one.outgoing.end(Err(CommandError::NotSent("its sender has given it up".to_owned())));
                    } else {
                        out.publish(one.place, &live.publish, one.outgoing.message(&shared, &live));
                        line.went_out(one);
                    }
                }
                waited.set(false);
                line.ended_some();
            }
        }
    }
}

fn is_same(current: &Option<Rc<Live>>, live: &Rc<Live>) -> bool {
    current.as_ref().is_some_and(|current| Rc::ptr_eq(current, live))
}

/// What was out on a connection that is lost may come back into the line, and then goes before all else: so nothing goes out
/// on the next one until it is known what became of it.
fn may_begin(line: &Line, current: &Option<Rc<Live>>, live: &Rc<Live>) -> bool {
    is_same(current, live) || line.is_nothing_out()
}

fn came_back(shared: &Shared, live: &Rc<Live>, place: u64, fate: Fate) {
    let outgoing = shared.line.came_back(place);
    let outcome = match fate {
        Fate::Answered { is_taken, returned } => {
            live.saw_activity();
            if let Some(returned) = returned {
                nobody_listens(shared, &returned);
            }
            let refused = || CommandError::Unknown("the server could not put it into every queue".to_owned());
            is_taken.then_some(()).ok_or_else(refused)
        }
        Fate::Lost(error) => {
            let reason = CommandError::from(error).to_string();
            shared.lose(live, &reason);
            Err(CommandError::Unknown(reason))
        }
        Fate::Unwritten => {
            shared.lose(live, "the channel is closed");
            match outgoing {
                Some(outgoing) if outgoing.again() => return shared.line.put_back(Numbered { place, outgoing }),
                _ => Err(CommandError::NotSent("the connection was lost".to_owned())),
            }
        }
    };
    if let Some(outgoing) = outgoing {
        outgoing.end(outcome);
    }
}

/// Only calls come back.
fn nobody_listens(shared: &Shared, returned: &BasicReturnMessage) {
    let Some(id) = returned.properties.correlation_id() else { return };
    let signal = take_apart(returned.routing_key.as_str()).map(|(signal, _)| signal.into_owned()).unwrap_or_default();
    shared.waiter.put(Fail { id: id.as_str().into(), error: CallError::NobodyListening { signal } });
}
