use serde::Serialize;

/// What an adapter can do. What it cannot is refused when an agent that needs it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// Messages of one sender on one connection arrive in order.
    pub ordered: bool,
    /// What was accepted survives the end of every process of ours.
    pub persistent: bool,
    /// Several processes share the work of one queue.
    pub groups: bool,
    /// What was handled stays at the broker and can be read again, as on Kafka and Redis Streams. No adapter says so yet, and
    /// who does not must never deliver again what was acknowledged.
    pub replay: bool,
    /// A send may be delayed.
    pub delay: bool,
    /// Headers, keys and ids travel beside the body.
    pub headers: bool,
    /// A publish tells how many receive it, so that a call that nobody hears fails at once.
    pub receiver_counts: bool,
    /// Messages can be sent in one atomic step with an acknowledgement.
    pub outbox: bool,
    /// Keys of messages are remembered in one atomic step with an acknowledgement.
    pub dedup: bool,
    /// A queue may be bound to an exchange, with topics or without.
    pub exchanges: bool,
    /// The counts of a queue tell its dead letters by their reasons, and what every process has in flight.
    pub full_counts: bool,
}

/// Whether an adapter reaches its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not yet connected.
    Connecting,
    /// Connected, with every subscription live.
    Up,
    /// Not connected; the adapter keeps trying.
    Down {
        /// Why, without secrets.
        reason: String,
        /// Whether trying again cannot help until somebody changes something: a wrong password, an old server. A start
        /// gives up at once; a running group keeps trying.
        lasting: bool,
    },
    /// Closed by us.
    Closed,
}

/// What an adapter says of itself. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// The kind of adapter: `memory`, `redis`.
    pub adapter: &'static str,
    /// The address of the server with the password left out.
    pub address: String,
    /// The state of the connection.
    pub connection: ConnectionState,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl Description {
    /// A description of a new adapter.
    pub fn new(adapter: &'static str, address: String, capabilities: Capabilities) -> Self {
        Self { adapter, address, connection: ConnectionState::Connecting, capabilities }
    }
}
