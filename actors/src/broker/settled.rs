//! What all broker adapters do alike around a settlement.

use std::sync::Arc;

use crate::contract::{Outcome, SendOptions, Settlement};
use crate::events::{Event, EventKind, Events};

/// The first option that is none of those that a broker has.
pub(crate) fn unsupported(options: &SendOptions, has: &[&str]) -> Option<&'static str> {
    options.all_set().find(|option| !has.contains(option))
}

/// Puts the `Return`s behind everything else and the latest of them first: each goes to the head of the queue, so
/// the earliest ends up in front.
pub(crate) fn returns_last_first(batch: &mut [Settlement]) {
    batch.sort_by_key(|settlement| match settlement.outcome {
        Outcome::Return => (1, u64::MAX - settlement.token.0),
        _ => (0, settlement.token.0),
    });
}

/// Tells that an outcome was applied.
pub(crate) fn applied(events: &Events, queue: &Arc<str>, consumer: &Arc<str>, outcome: &Outcome) {
    let (queue, consumer) = (queue.clone(), consumer.clone());
    match outcome {
        Outcome::Ack => events.emit(EventKind::Consumed, || Event::Consumed { queue, consumer }),
        Outcome::Retry { after } => {
            events.emit(EventKind::Retried, || Event::Retried { queue, consumer, after: *after });
        }
        Outcome::Dead { reason } => {
            if let Some(times) = events.line_due("dead letter", &queue) {
                tracing::warn!(%queue, %consumer, %reason, times, "a message went to the dead-letter queue");
            }
            events.emit(EventKind::DeadLettered, || Event::DeadLettered {
                queue,
                consumer,
                reason: reason.to_string().into(),
            });
        }
        Outcome::Return => events.emit(EventKind::Returned, || Event::Returned { queue, consumer }),
    }
}

/// Tells that a message was acknowledged because its key is remembered.
pub(crate) fn deduplicated(events: &Events, queue: &Arc<str>, consumer: &Arc<str>) {
    let (queue, consumer) = (queue.clone(), consumer.clone());
    events.emit(EventKind::Deduplicated, || Event::Deduplicated { queue, consumer });
}

/// Tells that a settlement was given up when the broker was closed; whoever gives up several logs that.
#[cfg(any(feature = "amqp", feature = "redis"))]
pub(crate) fn lost(events: &Events, queue: &Arc<str>, consumer: &Arc<str>) {
    let (queue, consumer) = (queue.clone(), consumer.clone());
    events.emit(EventKind::LostSettlement, || Event::LostSettlement { queue, consumer });
}

/// Tells that a settlement came too late.
pub(crate) fn late(events: &Events, queue: &Arc<str>, consumer: &Arc<str>) {
    if let Some(times) = events.line_due("late settlement", queue) {
        tracing::warn!(%queue, %consumer, times, "a settlement came too late: the message is not ours any more");
    }
    let (queue, consumer) = (queue.clone(), consumer.clone());
    events.emit(EventKind::LateSettlement, || Event::LateSettlement { queue, consumer });
}
