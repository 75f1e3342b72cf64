//! The way in: what bus and broker hand over, until a handler takes it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::inbox::Inbox;
use super::request::{Request, Ticket, Watch};
use super::shared::Shared;
use crate::bus::Bus;
use crate::contract::{Arriving, Delivered, DeliveryInlet, SignalInlet};
use crate::events::{DropReason, Event, EventKind, HandlerKind};

/// The inbox of one receiver.
pub(crate) struct ReceiverInbox {
    pub(crate) name: Arc<str>,
    /// `<Agent>.<method>`, the key of its answers.
    pub(crate) key: Arc<str>,
    pub(crate) inbox: Inbox<Arrived>,
    closed: AtomicBool,
}

impl ReceiverInbox {
    pub(crate) fn new(name: Arc<str>, key: Arc<str>, inbox: Inbox<Arrived>) -> Self {
        Self { name, key, inbox, closed: AtomicBool::new(false) }
    }

    /// No inlet puts anything into it any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// A signal or call in an inbox.
pub(crate) struct Arrived {
    pub(crate) arriving: Arriving,
    pub(crate) ticket: Option<Ticket>,
}

/// Where the bus puts one signal: into the inbox of every receiver of it in one agent.
pub(crate) struct AgentInlet {
    shared: Arc<Shared>,
    bus: Bus,
    /// Held while a signal is put into all inboxes: what is changed is changed between two signals.
    hearers: RwLock<Hearers>,
}

struct Hearers {
    receivers: Box<[Arc<ReceiverInbox>]>,
    keys: Arc<[Arc<str>]>,
}

impl Hearers {
    fn new(receivers: Box<[Arc<ReceiverInbox>]>) -> Self {
        let keys = receivers.iter().map(|receiver| receiver.key.clone()).collect();
        Self { receivers, keys }
    }
}

impl AgentInlet {
    pub(crate) fn new(shared: Arc<Shared>, bus: Bus, receivers: Box<[Arc<ReceiverInbox>]>) -> Self {
        Self { shared, bus, hearers: RwLock::new(Hearers::new(receivers)) }
    }

    /// Other receivers hear the signal from now on: when this returns, nothing is on its way to the ones before.
    pub(crate) fn set(&self, receivers: Box<[Arc<ReceiverInbox>]>) {
        *self.hearers.write().unwrap_or_else(PoisonError::into_inner) = Hearers::new(receivers);
    }

    fn put(&self, receiver: &ReceiverInbox, arrived: Arrived) -> bool {
        let Err(refused) = receiver.inbox.push(arrived, &self.shared.wake) else { return true };
        dropped(&self.shared, &receiver.name, &refused.arriving.signal, DropReason::InboxFull);
        if let Some(ticket) = refused.ticket {
            ticket.fail("overloaded", format!("the inbox of `{}` is full", receiver.key));
        }
        false
    }
}

impl SignalInlet for AgentInlet {
    fn offer(&self, arriving: Arriving) {
        self.offer_to(arriving, None);
    }
}

impl AgentInlet {
    /// Offers a signal or a call, and lets a watcher have what its handlers return, instead of the bus.
    pub(crate) fn offer_watched(&self, arriving: Arriving, watch: Watch) {
        self.offer_to(arriving, Some(watch));
    }

    fn offer_to(&self, arriving: Arriving, watch: Option<Watch>) {
        let events = &self.shared.env.events;
        let hearers = self.hearers.read().unwrap_or_else(PoisonError::into_inner);
        let Hearers { receivers, keys } = &*hearers;
        // A signal that is watched has an answer too, which only its watcher sees.
        let asked = arriving.call.clone().or_else(|| watch.is_some().then(Arc::default));
        if !self.shared.accepts() {
            for receiver in receivers {
                dropped(&self.shared, &receiver.name, &arriving.signal, DropReason::Stopped);
            }
            if let Some(id) = asked {
                for ticket in Request::open(id, self.shared.uid.clone(), self.bus.clone(), keys.clone(), watch) {
                    ticket.fail("stopped", format!("the agent `{}` is stopping", self.shared.agent));
                }
            }
            return;
        }
        let Some((last, others)) = receivers.split_last() else { return };
        let heard = events.is_heard().then(|| arriving.signal.clone());
        let is_call = arriving.call.is_some();
        let mut tickets = asked
            .map(|id| Request::open(id, self.shared.uid.clone(), self.bus.clone(), keys.clone(), watch))
            .into_iter()
            .flatten();
        let mut entered = false;
        for receiver in others {
            entered |= self.put(receiver, Arrived { arriving: arriving.clone(), ticket: tickets.next() });
        }
        entered |= self.put(last, Arrived { arriving, ticket: tickets.next() });
        drop(hearers);
        if !entered {
            return;
        }
        let kind = if is_call { EventKind::RequestReceived } else { EventKind::SignalReceived };
        let Some(signal) = heard else { return events.add(kind, 1) };
        let agent = self.shared.agent.clone();
        events.emit(kind, || match is_call {
            true => Event::RequestReceived { agent, signal },
            false => Event::SignalReceived { agent, signal },
        });
    }
}

/// Counts a signal that no handler will have, and logs it once a minute.
pub(crate) fn dropped(shared: &Shared, handler: &Arc<str>, signal: &Arc<str>, reason: DropReason) {
    shared.tallies.of(handler, HandlerKind::Receiver).dropped();
    let events = &shared.env.events;
    events.emit(EventKind::Dropped, || Event::Dropped {
        agent: shared.agent.clone(),
        handler: handler.clone(),
        signal: signal.clone(),
        reason,
    });
    if let Some(times) = events.line_due("dropped", &format!("{}.{handler}", shared.agent)) {
        tracing::warn!(agent = %shared.agent, %handler, %signal, times, ?reason, "signals were dropped");
    }
}

/// Where the broker puts the deliveries of one consumer. The consumer's credit bounds what is in it.
pub(crate) struct ConsumerInbox {
    shared: Arc<Shared>,
    pub(crate) inbox: Inbox<Delivered>,
}

impl ConsumerInbox {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let inbox = Inbox::new(NonZeroUsize::MAX, shared.env.gauge.clone());
        Self { shared, inbox }
    }
}

impl DeliveryInlet for ConsumerInbox {
    fn deliver(&self, delivery: Delivered) {
        // It is never full: the broker holds the credit.
        drop(self.inbox.push(delivery, &self.shared.wake));
    }
}
