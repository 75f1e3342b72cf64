use std::rc::Rc;
use std::sync::Arc;

use super::{Receiver, Reception};
use crate::agent::receive::{AgentInlet, ReceiverInbox};
use crate::bus::Bus;
use crate::contract::SubscriptionId;
use crate::error::Error;

/// One signal on one bus, for all receivers of it: so a call has one answer of them all.
#[derive(Clone)]
pub(super) struct Subscription {
    pub(super) signal: Arc<str>,
    bus: Bus,
    id: SubscriptionId,
    pub(super) inlet: Arc<AgentInlet>,
}

impl<A: 'static> Reception<A> {
    /// Subscribes what the receivers hear and is not subscribed yet.
    pub(super) async fn subscribe(&self, receivers: &[Rc<Receiver<A>>]) -> Result<(), Error> {
        let mut signals: Vec<_> = receivers.iter().flat_map(|receiver| &receiver.plan.signals).cloned().collect();
        signals.sort();
        signals.dedup();
        for signal in signals {
            if self.subscriptions.borrow().iter().any(|subscription| subscription.signal == signal) {
                continue;
            }
            let bus = self.shared.buses.of(&signal).ok_or(Error::Closed("the bus"))?.clone();
            let inboxes = inboxes(receivers, &signal);
            let inlet = Arc::new(AgentInlet::new(self.shared.clone(), bus.clone(), inboxes));
            let id = bus.next_subscription();
            let noted = Subscription { signal: signal.clone(), bus: bus.clone(), id, inlet: inlet.clone() };
            // Noted before it is live: whoever ends the agent here ends the subscription too.
            self.subscriptions.borrow_mut().push(noted);
            bus.subscribe_as(id, &signal, inlet).await?;
        }
        Ok(())
    }

    /// The way in for a signal; `None` when nobody hears it.
    pub(crate) fn inlet_of(&self, signal: &str) -> Option<Arc<AgentInlet>> {
        let subscriptions = self.subscriptions.borrow();
        subscriptions.iter().find(|one| &*one.signal == signal).map(|one| one.inlet.clone())
    }

    /// The signals that are heard.
    pub(crate) fn signals(&self) -> Vec<Arc<str>> {
        self.subscriptions.borrow().iter().map(|one| one.signal.clone()).collect()
    }

    /// Ends the subscriptions that none of the receivers hears.
    pub(super) async fn unsubscribe_but(&self, receivers: &[Rc<Receiver<A>>]) {
        let is_heard = |one: &Subscription| receivers.iter().any(|receiver| receiver.hears(&one.signal));
        let unheard: Vec<_> = self.subscriptions.borrow().iter().filter(|one| !is_heard(one)).cloned().collect();
        for subscription in unheard {
            self.unsubscribe(&subscription).await;
        }
    }

    pub(super) async fn unsubscribe(&self, subscription: &Subscription) {
        subscription.bus.unsubscribe(subscription.id).await;
        self.subscriptions.borrow_mut().retain(|other| !Arc::ptr_eq(&other.inlet, &subscription.inlet));
    }
}

/// The inboxes of the receivers of a signal.
pub(super) fn inboxes<A>(receivers: &[Rc<Receiver<A>>], signal: &Arc<str>) -> Box<[Arc<ReceiverInbox>]> {
    receivers.iter().filter(|receiver| receiver.hears(signal)).map(|receiver| receiver.inbox.clone()).collect()
}
