use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Env;
use crate::contract::{Arriving, SignalInlet, SubscriptionId};
use crate::events::{DropReason, Event, EventKind};

/// Who hears what. The server knows one subscription for each signal, however many there are here; they hear in order of
/// their ids.
#[derive(Default)]
pub(crate) struct Subscriptions(RefCell<Inlets>);

type Inlets = BTreeMap<(Arc<str>, SubscriptionId), Arc<dyn SignalInlet>>;

impl Subscriptions {
    pub(crate) fn insert(&self, signal: Arc<str>, id: SubscriptionId, inlet: Arc<dyn SignalInlet>) {
        self.0.borrow_mut().insert((signal, id), inlet);
    }

    /// Forgets a subscription, and returns its signal if nobody here hears that any more.
    pub(crate) fn remove(&self, id: SubscriptionId) -> Option<Arc<str>> {
        let mut all = self.0.borrow_mut();
        let key = all.keys().find(|(_, of)| *of == id).cloned()?;
        all.remove(&key);
        let signal = key.0;
        let heard = all.range((signal.clone(), SubscriptionId(0))..).next().is_some_and(|((of, _), _)| *of == signal);
        (!heard).then_some(signal)
    }

    /// Every signal that somebody here hears, once.
    #[cfg(feature = "amqp")]
    pub(crate) fn signals(&self) -> Vec<Arc<str>> {
        let mut signals: Vec<_> = self.0.borrow().keys().map(|(signal, _)| signal.clone()).collect();
        signals.dedup();
        signals
    }

    #[cfg(feature = "amqp")]
    pub(crate) fn hears(&self, signal: &Arc<str>) -> bool {
        let first = (signal.clone(), SubscriptionId(0));
        self.0.borrow().range(first..).next().is_some_and(|((of, _), _)| of == signal)
    }

    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    pub(crate) fn offer(&self, arriving: Arriving) {
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

/// Which signals were lost nobody knows: the event names the bus, and the counter counts each. `what` says for the log which
/// ones go first.
pub(crate) fn lagged(env: &Env, count: u64, what: &str) {
    let events = &env.events;
    events.add(EventKind::Dropped, count.saturating_sub(1));
    events.emit(EventKind::Dropped, || Event::Dropped {
        agent: "bus".into(),
        handler: "".into(),
        signal: "*".into(),
        reason: DropReason::Lagged,
    });
    if let Some(times) = events.line_due("lagged", "bus") {
        tracing::warn!(count, times, "bus: messages came faster than this thread took them; {what}");
    }
}
