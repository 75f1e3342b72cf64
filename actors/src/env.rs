use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{CheckMode, Declarations, Prefix};
use serde::Serialize;
use tokio::sync::watch;

use crate::agent::Templates;
use crate::blocking::Pool;
use crate::broker::settled;
use crate::clock::seconds;
use crate::contract::{Address, ConnectionState, Outcome};
use crate::events::{Event, EventKind, Events};
use crate::layers::Layers;
use crate::load::Gauge;
use crate::stall::Beats;
use crate::{Clock, Ids};

/// What everything in one group shares.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Env {
    /// The prefix of every channel.
    pub prefix: Prefix,
    /// The signals and queues that may be used.
    pub declarations: Arc<Declarations>,
    /// What is done about payloads that do not fit their declaration.
    pub check: CheckMode,
    /// Wall time.
    pub clock: Clock,
    /// Ids and jitter.
    pub ids: Ids,
    /// What happens.
    pub events: Events,
    /// The bounds.
    pub limits: Limits,
    pub(crate) gauge: Gauge,
    pub(crate) beats: Beats,
    pub(crate) pool: Pool,
    /// What `info()` says of agents of one type.
    pub(crate) templates: Templates,
    /// Around every handler of every agent.
    pub(crate) layers: Layers,
    /// Whether each run of a handler has a span.
    pub(crate) traced: bool,
    /// Whether each run of a handler adds to the metrics.
    pub(crate) metered: bool,
}

/// The bounds that a group keeps. Each has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body, in bytes, that is sent or accepted. Default 1 MiB.
    pub max_body: NonZeroUsize,
    /// How many publishes, sends and calls may be under way at once through one adapter; one more fails at once.
    /// Default 16,384.
    pub in_flight: NonZeroUsize,
    /// How long a publish or send may take, waiting for a lost connection included. Default 5 s.
    #[serde(serialize_with = "seconds")]
    pub send_deadline: Duration,
    /// How long a call waits for an answer. Default 10 s.
    #[serde(serialize_with = "seconds")]
    pub call_deadline: Duration,
    /// How many [`Tasks`](crate::agent::Tasks) of one agent's instance may live at once; one more is refused. Default 1,024.
    pub tasks: NonZeroUsize,
    /// How many messages an [`Outbox`](crate::agent::Outbox) holds for one delivery, all of its queues together; one more is
    /// refused. Default 1,024.
    pub outbox: NonZeroUsize,
    /// How many answers a stream of answers holds for a slow reader. Default 256.
    pub answers: NonZeroUsize,
    /// How many agents that have ended [`crate::group::Group::info`] still shows; the first ones are forgotten. Default
    /// 1,024.
    pub ended_agents: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        const MAX_BODY: NonZeroUsize = NonZeroUsize::new(1 << 20).unwrap();
        const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
        const TASKS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        const OUTBOX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        const ANSWERS: NonZeroUsize = NonZeroUsize::new(256).unwrap();
        const ENDED_AGENTS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        Self {
            max_body: MAX_BODY,
            in_flight: IN_FLIGHT,
            send_deadline: Duration::from_secs(5),
            call_deadline: Duration::from_secs(10),
            tasks: TASKS,
            outbox: OUTBOX,
            answers: ANSWERS,
            ended_agents: ENDED_AGENTS,
        }
    }
}

impl Env {
    /// Tells that a signal was published. Called by the adapter when it knows, whether or not the sender still waits; the
    /// halves of an answer are not signals.
    pub fn told_sent(&self, address: &Address) {
        if let Address::Signal { signal, sender } = address {
            let sent = || Event::SignalSent { signal: signal.clone(), sender: sender.clone() };
            self.events.emit(EventKind::SignalSent, sent);
        }
    }

    /// Tells that a queue has accepted a message. Called by the adapter when it knows, whether or not the sender still
    /// waits.
    pub fn told_queued(&self, queue: &Arc<str>) {
        self.events.emit(EventKind::Queued, || Event::Queued { queue: queue.clone() });
    }

    /// Tells what became of a message. Called by the adapter when the settlement was applied.
    pub fn told_settled(&self, queue: &Arc<str>, consumer: &Arc<str>, outcome: &Outcome) {
        settled::applied(&self.events, queue, consumer, outcome);
    }

    /// Tells that a settlement came too late. Called by the adapter when it refuses one.
    pub fn told_late(&self, queue: &Arc<str>, consumer: &Arc<str>) {
        settled::late(&self.events, queue, consumer);
    }

    /// Whether an adapter may write its log line about something that goes wrong again and again: the first time, then once a
    /// minute, with how often it happened since the last line. `what` and `name` say what the line is about, such as
    /// `"take"` and a queue.
    pub fn line_due(&self, what: &'static str, name: &str) -> Option<u64> {
        self.events.line_due(what, name)
    }

    /// The environment of a new group with everything at its default.
    pub fn new(prefix: Prefix, declarations: Arc<Declarations>) -> Self {
        Self {
            prefix,
            declarations,
            check: CheckMode::default(),
            clock: Clock::default(),
            ids: Ids::default(),
            events: Events::default(),
            limits: Limits::default(),
            gauge: Gauge::default(),
            beats: Beats::default(),
            pool: Pool::default(),
            templates: Templates::default(),
            layers: Layers::default(),
            traced: true,
            metered: false,
        }
    }
}

/// What an adapter is given when it starts.
#[derive(Debug)]
#[non_exhaustive]
pub struct AdapterContext {
    /// What the group shares.
    pub env: Env,
    /// Where the adapter says whether it is connected. [`ConnectionState::Up`] means that every subscription is live.
    pub state: watch::Sender<ConnectionState>,
}

impl AdapterContext {
    /// A context, and the other end of its state.
    pub fn new(env: Env) -> (Self, watch::Receiver<ConnectionState>) {
        let (state, watched) = watch::channel(ConnectionState::Connecting);
        (Self { env, state }, watched)
    }
}
