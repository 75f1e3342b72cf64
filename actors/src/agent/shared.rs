use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::Notify;

use super::info::Tallies;
use super::own_calls::OwnCalls;
use crate::Env;
use crate::broker::Broker;
use crate::bus::Bus;

/// What an agent's shell shares with its inlets, its handles and its instances.
pub(crate) struct Shared {
    /// The agent's name: the sender of its signals.
    pub(crate) agent: Arc<str>,
    /// The name of its type: the first half of the key of an answer.
    pub(crate) type_name: Arc<str>,
    /// The agent instance in the group: the responder of its answers.
    pub(crate) uid: Arc<str>,
    pub(crate) env: Arc<Env>,
    pub(crate) buses: Routes<Bus>,
    pub(crate) brokers: Routes<Broker>,
    pub(crate) settings: Value,
    pub(crate) own_calls: OwnCalls,
    /// There is something to see for the life of the agent: a stop, a crash, a wish to end, or an inbox that wants a lane.
    pub(crate) wake: Notify,
    /// What became of the handlers' runs.
    pub(crate) tallies: Tallies,
    accepting: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        agent: Arc<str>,
        type_name: Arc<str>,
        env: Arc<Env>,
        buses: Routes<Bus>,
        brokers: Routes<Broker>,
        settings: Value,
    ) -> Self {
        Self {
            agent,
            type_name,
            uid: env.ids.id(),
            env,
            buses,
            brokers,
            settings,
            own_calls: OwnCalls::default(),
            wake: Notify::new(),
            tallies: Tallies::default(),
            accepting: AtomicBool::new(true),
        }
    }

    /// Whether signals still enter the inboxes: not when the agent stops.
    pub(crate) fn accepts(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    pub(crate) fn set_accepting(&self, accepting: bool) {
        self.accepting.store(accepting, Ordering::Release);
    }
}

/// Which bus or broker carries which signal or queue: a default, and exceptions by name.
#[derive(Debug, Clone)]
pub(crate) struct Routes<T> {
    pub(crate) default: Option<T>,
    pub(crate) named: BTreeMap<String, T>,
}

impl<T> Routes<T> {
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.default.iter().chain(self.named.values())
    }

    /// What each is and where, for people.
    pub(crate) fn links(&self, link: fn(&T) -> &str) -> Vec<String> {
        let mut links = Vec::with_capacity(self.all().count());
        links.extend(self.all().map(|one| link(one).to_owned()));
        links
    }

    pub(crate) fn of(&self, name: &str) -> Option<&T> {
        self.named.get(name).or(self.default.as_ref())
    }
}
