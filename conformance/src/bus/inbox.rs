//! A subscriber that keeps what it hears.

use std::sync::{Arc, Mutex};

use formicary_actors::bus::Bus;
use formicary_actors::contract::{Arriving, SignalInlet, SubscriptionId};
use formicary_protocol::Signal;

use super::stage::SOON;
use crate::wait;

/// Keeps the signals that it is offered, in their order.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<Vec<Arriving>>);

impl SignalInlet for Inbox {
    fn offer(&self, signal: Arriving) {
        self.0.lock().unwrap().push(signal);
    }
}

impl Inbox {
    /// One that is subscribed to `S` already.
    pub(crate) async fn of<S: Signal>(bus: &Bus) -> Arc<Self> {
        Self::with_id::<S>(bus).await.0
    }

    pub(crate) async fn with_id<S: Signal>(bus: &Bus) -> (Arc<Self>, SubscriptionId) {
        let inbox = Arc::new(Self::default());
        let id = bus.subscribe(S::NAME, inbox.clone()).await.unwrap();
        (inbox, id)
    }

    pub(crate) fn all(&self) -> Vec<Arriving> {
        self.0.lock().unwrap().clone()
    }

    /// What has come by now, which it forgets.
    pub(crate) fn take(&self) -> Vec<Arriving> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The numbers in the bodies, in order of arrival.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().map(number).collect()
    }

    /// Waits until so many have come.
    pub(crate) async fn until(&self, count: usize) -> Vec<Arriving> {
        wait::until(SOON, format!("{count} signals"), async || match self.len() {
            len if len >= count => Ok(()),
            len => Err(format!("{len} have come")),
        })
        .await;
        self.all()
    }

    /// Waits until this number has come.
    pub(crate) async fn until_number(&self, n: u64) {
        wait::until(SOON, format!("the signal {n}"), async || self.numbers().contains(&n)).await;
    }
}

/// The number in the body of a signal of the cast.
pub(crate) fn number(arriving: &Arriving) -> u64 {
    serde_json::from_slice::<serde_json::Value>(&arriving.body).unwrap()["n"].as_u64().unwrap()
}
