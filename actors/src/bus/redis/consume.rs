use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::signal_pattern;
use tokio::time::Instant;

use super::connection::Link;
use super::publish::left;
use crate::AdapterContext;
use crate::bus::{Incoming, Names, read_with};
use crate::contract::{Arriving, SignalInlet, Subscribe, SubscriptionId};
use crate::error::Error;
use crate::events::{DropReason, Event, EventKind};
use crate::redis::{self, CommandError};
use crate::waiter::{Answered, WaiterPort};

/// Who hears what. One pattern at the server for each signal, however many subscriptions; they hear in order of their ids.
#[derive(Default)]
pub(super) struct Subscriptions(RefCell<Inlets>);

type Inlets = BTreeMap<(Arc<str>, SubscriptionId), Arc<dyn SignalInlet>>;

impl Subscriptions {
    fn insert(&self, signal: Arc<str>, id: SubscriptionId, inlet: Arc<dyn SignalInlet>) {
        self.0.borrow_mut().insert((signal, id), inlet);
    }

    /// Forgets a subscription, and returns its signal if nobody here hears that any more.
    pub(super) fn remove(&self, id: SubscriptionId) -> Option<Arc<str>> {
        let mut all = self.0.borrow_mut();
        let key = all.keys().find(|(_, of)| *of == id).cloned()?;
        all.remove(&key);
        let signal = key.0;
        let heard = all.range((signal.clone(), SubscriptionId(0))..).next().is_some_and(|((of, _), _)| *of == signal);
        (!heard).then_some(signal)
    }

    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    fn offer(&self, arriving: Arriving) {
        let all = self.0.borrow();
        let mut heard = all
            .range((arriving.signal.clone(), SubscriptionId(0))..)
            .take_while(|((signal, _), _)| *signal == arriving.signal)
            .map(|(_, inlet)| inlet)
            .peekable();
        while let Some(inlet) = heard.next() {
            if heard.peek().is_none() {
                return inlet.offer(arriving);
            }
            inlet.offer(arriving.clone());
        }
    }
}

/// Subscribes, and answers when it is live. A connection that is lost meanwhile is waited for; from then on the
/// subscription is kept over every reconnect.
pub(super) async fn subscribe(link: Rc<Link>, subscribe: Subscribe) {
    let Subscribe { id, signal, inlet, reply } = subscribe;
    let env = &link.context.env;
    let pattern = signal_pattern(&env.prefix, &signal);
    let deadline = Instant::now() + env.limits.send_deadline;
    link.subscriptions.insert(signal.clone(), id, inlet);
    let failed = loop {
        match link.connection.subscribe(&pattern, left(deadline)).await {
            Ok(()) => return reply.send(Ok(())),
            Err(CommandError::Unknown(_)) if Instant::now() < deadline => {}
            Err(error) => break error,
        }
    };
    if link.subscriptions.remove(id).is_some() {
        link.connection.forget(&pattern);
    }
    reply.send(Err(match failed {
        CommandError::Refused { message, .. } => {
            Error::Refused { what: format!("the subscription to `{signal}`"), reason: message }
        }
        CommandError::NotSent(reason) | CommandError::Unknown(reason) => {
            Error::Unreachable { what: "bus", address: link.connection.endpoint().to_string(), reason }
        }
    }));
}

/// Ends the pattern of a signal that nobody here hears any more.
pub(super) async fn unsubscribe(link: Rc<Link>, signal: Arc<str>) {
    let env = &link.context.env;
    let pattern = signal_pattern(&env.prefix, &signal);
    // What still comes is nobody's; an error means that the connection, and with it the subscription, is gone.
    drop(link.connection.unsubscribe(&pattern, env.limits.send_deadline).await);
}

/// What a connection's messages go into.
pub(super) fn receive(
    context: Rc<AdapterContext>,
    subscriptions: Rc<Subscriptions>,
    waiter: WaiterPort,
) -> redis::Receiver {
    let mut names = Names::default();
    Box::new(move |incoming| {
        let (channel, body) = match incoming {
            redis::Incoming::Message { channel, body } => (channel, body),
            redis::Incoming::Lost(count) => return lagged(&context, count),
        };
        match read_with(&context.env, channel.as_bytes(), body, |name| names.get(name)) {
            Some(Incoming::Signal(arriving)) => subscriptions.offer(arriving),
            Some(Incoming::Answer { responder, call, body }) => {
                waiter.put(Answered { responder, call, body, is_error: false });
            }
            Some(Incoming::AnswerError { responder, call, body }) => {
                waiter.put(Answered { responder, call, body, is_error: true });
            }
            None => {}
        }
    })
}

/// Which signals were lost nobody knows: the event names the bus, and the counter counts each.
fn lagged(context: &AdapterContext, count: u64) {
    let events = &context.env.events;
    events.add(EventKind::Dropped, count.saturating_sub(1));
    events.emit(EventKind::Dropped, || Event::Dropped {
        agent: "bus".into(),
        handler: "".into(),
        signal: "*".into(),
        reason: DropReason::Lagged,
    });
    if let Some(times) = events.line_due("lagged", "bus") {
        tracing::warn!(count, times, "bus: messages came faster than this thread took them; the newest overflowed");
    }
}
