use std::rc::Rc;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use super::connection::Link;
use super::names::{self, short};
use super::topology::To;
use crate::amqp::{self, CommandError, done_by};
use crate::contract::{Counts, DeadCounts, Inspect};

const NOT_FOUND: u16 = 404;

/// Counts a queue: at the server what waits and what is dead, in this process what is in flight, and what waits for the end of
/// a delay in the queues that this process has used.
pub(super) async fn inspect(link: Rc<Link>, inspect: Inspect) {
    let Inspect { queue, deadline, reply } = inspect;
    let what = format!("the counts of queue `{queue}`");
    let counted = async {
        link.topology.declare(&To::itself(queue.clone(), 0), deadline).await?;
        let amqp = link.consuming.link(deadline).await?;
        let waiting = length(&amqp, &queue).await?;
        let dead = length(&amqp, &names::dead(&queue)).await?;
        let mut delayed = 0;
        for name in link.topology.delays_of(&queue) {
            delayed += length(&amqp, &name).await?;
        }
        let in_flight = link.consumers_of(&queue).iter().map(|consumer| consumer.in_flight() as u64).sum();
        let mut counts = Counts::new(waiting, in_flight, delayed, DeadCounts::default());
        counts.dead = dead;
        Ok(counts)
    };
    let counted = done_by(deadline, &what, counted).await;
    reply.send(counted.map_err(|error| error.during(&what)));
}

/// How many messages wait in a queue; none where there is none.
pub(super) async fn length(amqp: &amqp::Link, queue: &str) -> Result<u64, CommandError> {
    // A channel of its own: a queue that is not there ends it.
    let channel = amqp.channel().await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let asked = channel.queue_declare(short(queue).unwrap_or_default(), options, FieldTable::default());
    match amqp.answered(asked).await {
        Ok(queue) => Ok(u64::from(queue.message_count())),
        Err(error) if error.has_code(NOT_FOUND) => Ok(0),
        Err(error) => Err(error),
    }
}
