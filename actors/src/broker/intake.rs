use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::contract::{DedupBy, DeliveryInlet};

/// What a consumer asks of its broker. For adapters of other systems and for tests; agents use consumers.
#[non_exhaustive]
pub struct Intake {
    /// The queue's name.
    pub queue: Arc<str>,
    /// How many deliveries may be unsettled at once.
    pub credit: NonZeroUsize,
    /// Who consumes, for logs: agent and handler.
    pub consumer: Arc<str>,
    /// Queues to which messages may be sent together with an acknowledgement. Default: none.
    pub outbox: Arc<[Arc<str>]>,
    /// How keys of messages are remembered. Default: not.
    pub dedup: Option<DedupBy>,
    /// Where deliveries are put.
    pub inlet: Arc<dyn DeliveryInlet>,
}

impl Intake {
    /// A consumer that asks for deliveries and nothing else.
    pub fn new(queue: &str, credit: NonZeroUsize, consumer: &str, inlet: Arc<dyn DeliveryInlet>) -> Self {
        let outbox = Arc::default();
        Self { queue: queue.into(), credit, consumer: consumer.into(), outbox, dedup: None, inlet }
    }

    /// Sets to which queues messages may be sent together with an acknowledgement.
    #[must_use]
    pub fn outbox(mut self, queues: impl IntoIterator<Item = Arc<str>>) -> Self {
        self.outbox = queues.into_iter().collect();
        self
    }

    /// Sets how keys of messages are remembered.
    #[must_use]
    pub fn dedup(mut self, by: DedupBy) -> Self {
        self.dedup = Some(by);
        self
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("queue", &self.queue).field("credit", &self.credit).finish_non_exhaustive()
    }
}
