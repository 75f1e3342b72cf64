use std::any::TypeId;

use formicary_protocol::{Declarations, Error, Queue, Signal};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the extractors of one handler use. Held against the declarations when the agent starts, and shown in `info()`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Needs {
    pub(crate) publishes: Vec<SignalUse>,
    pub(crate) calls: Vec<SignalUse>,
    pub(crate) pushes: Vec<QueueUse>,
    pub(crate) outboxes: Vec<QueueUse>,
    pub(crate) sender: bool,
    pub(crate) deliveries: usize,
    /// It asks for its attempts.
    pub(crate) retries: bool,
    /// It asks what the broker says of its message.
    pub(crate) metadata: bool,
    /// It asks why a message is given up.
    pub(crate) exhausted: bool,
    pub(crate) settings: Vec<HoldSettings>,
    /// The types of agents whose receivers it asks for.
    pub(crate) agents: Vec<(TypeId, &'static str)>,
}

/// Holds the agent's settings against a type that a handler asks for. `Err` has every problem.
pub(crate) type HoldSettings = fn(&Value) -> Result<(), Vec<String>>;

/// A signal that a handler sends, calls or receives, with what its Rust type holds.
#[derive(Debug, Clone)]
pub(crate) struct SignalUse {
    pub(crate) name: &'static str,
    /// Holds the Rust type against its declaration.
    pub(crate) hold: fn(&Declarations) -> Result<(), Error>,
}

/// A queue that a handler sends to or consumes.
#[derive(Debug, Clone)]
pub(crate) struct QueueUse {
    pub(crate) name: &'static str,
    /// Holds the Rust type against its declaration.
    pub(crate) hold: fn(&Declarations) -> Result<(), Error>,
}

impl SignalUse {
    pub(crate) fn of<S: Signal>() -> Self {
        Self { name: S::NAME, hold: Declarations::hold::<S> }
    }
}

impl QueueUse {
    pub(crate) fn of<Q: Queue>() -> Self {
        Self { name: Q::NAME, hold: Declarations::hold_queue::<Q> }
    }
}

impl Needs {
    /// The handler publishes a signal.
    pub fn publishes<S: Signal>(&mut self) {
        self.publishes.push(SignalUse::of::<S>());
    }

    /// The handler calls.
    pub fn calls<S: Signal>(&mut self) {
        self.calls.push(SignalUse::of::<S>());
    }

    /// The handler sends to a queue.
    pub fn pushes<Q: Queue>(&mut self) {
        self.pushes.push(QueueUse::of::<Q>());
    }

    /// The handler sends to a queue together with an acknowledgement.
    pub fn outbox<Q: Queue>(&mut self) {
        self.outboxes.push(QueueUse::of::<Q>());
    }

    /// The handler is one of the agent `A`.
    pub(crate) fn agent<A: 'static>(&mut self) {
        self.agents.push((TypeId::of::<A>(), std::any::type_name::<A>()));
    }

    /// The handler needs the agent's settings as a `T`: settings that do not decode into it are refused at start.
    pub fn settings<T: DeserializeOwned>(&mut self) {
        self.settings.push(|settings| crate::agent::settings::decode::<T>(settings).map(drop));
    }
}
