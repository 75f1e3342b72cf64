//! What is left in the queue when the agents have stopped.

use std::time::Duration;

use formicary::contract::Counts;
use formicary::{Broker, Queue};

use crate::queues;

/// A broker that is away must not hold up the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at the queue; `None` when the broker cannot be asked, which is logged.
pub async fn left(broker: &Broker) -> Option<Counts> {
    match tokio::time::timeout(PATIENCE, broker.inspect(queues::Mailer::NAME)).await {
        Ok(Ok(counts)) => return Some(counts),
        Ok(Err(error)) => tracing::error!("what is left in the queue is not known, and 0 in the summary: {error}"),
        Err(_) => tracing::error!("what is left in the queue is not known, and 0 in the summary: no answer within 1 s"),
    }
    None
}
