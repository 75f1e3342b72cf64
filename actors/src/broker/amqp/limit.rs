//! How often a message may come back into a quorum queue: as often as need be.
//!
//! RabbitMQ 4 drops what has come back to a quorum queue twenty times; each look at dead letters brings them back, too. It
//! takes a limit of -1 for none. Servers before it have no limit unless they are told; they take that number, too, and drop
//! what comes back for the first time.

use lapin::types::{AMQPValue, FieldTable};

use crate::amqp::CommandError;
use crate::events::Events;

const ARGUMENT: &str = "x-delivery-limit";
/// The first RabbitMQ with a limit of its own.
const LIMITED: u32 = 4;
const PRECONDITION_FAILED: u16 = 406;

pub(super) fn must_be_lifted(server: Option<u32>) -> bool {
    server.is_some_and(|version| version >= LIMITED)
}

pub(super) fn lift(arguments: &mut FieldTable) {
    arguments.insert(ARGUMENT.into(), AMQPValue::LongInt(-1));
}

/// Whether the queue is refused because it is there with a limit: one that was declared before the server knew of any, or by
/// another program.
pub(super) fn is_there(error: &CommandError) -> bool {
    matches!(error, CommandError::Refused { code: PRECONDITION_FAILED, message } if message.contains(ARGUMENT))
}

pub(super) fn tell(events: &Events, queue: &str) {
    if let Some(times) = events.line_due("delivery limit", queue) {
        tracing::warn!(
            queue,
            times,
            "the quorum queue is there with a delivery limit: the server drops a message that has come back so often (20 times \
             unless a policy says otherwise). When it is empty, delete it, and it is declared without one"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_lifted_where_there_is_one() {
        assert_eq!([None, Some(3), Some(4), Some(5)].map(must_be_lifted), [false, false, true, true]);
        let mut arguments = FieldTable::default();
        lift(&mut arguments);
        assert_eq!(arguments.inner().get(ARGUMENT), Some(&AMQPValue::LongInt(-1)));
    }

    #[test]
    fn a_queue_that_is_there_with_a_limit_is_told_from_one_that_differs_otherwise() {
        let refused = |message: &str| CommandError::Refused { code: 406, message: message.to_owned() };
        let differs = |what: &str| {
            format!(
                "PRECONDITION_FAILED - inequivalent arg '{what}' for queue 'q' in vhost '/': received the value '-1' of \
                type 'signedint' but current is none"
            )
        };
        assert!(is_there(&refused(&differs("x-delivery-limit"))));
        assert!(!is_there(&refused(&differs("x-queue-type"))));
        assert!(!is_there(&CommandError::Unknown("x-delivery-limit".to_owned())));
    }
}
