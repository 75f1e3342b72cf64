use std::sync::Arc;

use formicary_protocol::{Bytes, Failure};

/// A signal or a call as it came from the bus, its body not yet decoded.
#[derive(Debug, Clone)]
pub struct Arriving {
    /// The signal's name.
    pub signal: Arc<str>,
    /// Who sent it.
    pub sender: Arc<str>,
    /// The id of the call, if an answer is wanted.
    pub call: Option<Arc<str>>,
    /// The body.
    pub body: Bytes,
}

/// Where a bus puts what arrives. Never blocks and never waits: what does not fit is refused and counted in there.
pub trait SignalInlet: Send + Sync {
    /// Offers one signal.
    fn offer(&self, signal: Arriving);
}

/// Names a delivery within its consumer; later deliveries have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message as it came from the broker, its body not yet decoded.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// What settles it.
    pub token: Token,
    /// The message's id.
    pub id: Arc<str>,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// When it was first delivered, in milliseconds since the Unix epoch.
    pub first_seen_ms: u64,
    /// What went wrong at earlier attempts, oldest first.
    pub history: Arc<[Failure]>,
    /// What the broker itself says of the delivery.
    pub metadata: Arc<[(String, String)]>,
    /// The body.
    pub body: Bytes,
}

/// Where a broker puts deliveries. The consumer's credit bounds what is in there.
pub trait DeliveryInlet: Send + Sync {
    /// Hands over one delivery. The consumer settles it exactly once, whatever happens.
    fn deliver(&self, delivery: Delivered);
}
