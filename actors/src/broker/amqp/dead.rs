use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::{Bytes, DeadLetter, Entry};
use futures_util::future::try_join_all;
use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueuePurgeOptions};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::connection::Link;
use super::headers;
use super::line::{Done, Job};
use super::names::{self, short};
use super::properties::{self, Past};
use super::topology::To;
use crate::amqp::{self, CommandError, done_by};
use crate::contract::{Concerned, Dead, DeadRequest, Letters};

/// How many letters are asked for at once.
const CHUNK: usize = 64;

/// Looks at, replays or purges dead letters.
pub(super) async fn dead(link: Rc<Link>, dead: Dead) {
    let Dead { queue, request, which, deadline, reply } = dead;
    let outcome = async {
        link.topology.declare(&To::itself(queue.clone(), 0), deadline).await?;
        let amqp = link.consuming.link(deadline).await?;
        let name = names::dead(&queue);
        // What is taken and not acknowledged goes back to its place when the channel ends.
        let channel = amqp.channel().await?;
        let walk = Walk { link: &link, amqp: &amqp, channel, name, which, deadline };
        let outcome = match request {
            DeadRequest::Peek => walk.peek().await,
            DeadRequest::Purge if walk.which == Letters::all() => walk.purge_all().await,
            DeadRequest::Replay | DeadRequest::Purge => walk.exhume(&queue, request == DeadRequest::Replay).await,
        };
        let concerned = outcome?;
        // A quorum queue would have it back some time after the channel has ended, and who looks next would not see it.
        let rest = walk.channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true });
        amqp.answered(rest).await?;
        // Its answer comes when all acknowledgements are done and the rest is back.
        let closed = walk.channel.close(200, short("done").unwrap_or_default());
        amqp.answered(closed).await.map(|()| concerned)
    };
    let outcome = done_by(deadline, "the dead letters", outcome).await;
    reply.send(outcome.map_err(|error| error.during("the dead letters")));
}

/// A walk through the dead letters of a queue, from the oldest on.
struct Walk<'a> {
    link: &'a Link,
    amqp: &'a amqp::Link,
    channel: Channel,
    name: String,
    which: Letters,
    deadline: Instant,
}

impl Walk<'_> {
    async fn peek(&self) -> Result<Concerned, CommandError> {
        let (mut letters, mut unseen) = (Vec::new(), None);
        while letters.len() < self.which.most && unseen != Some(0) {
            let found = self.next(&mut unseen).await?;
            letters.extend(found.into_iter().map(|found| read(&found)).filter(|letter| self.which.holds(letter)));
        }
        letters.truncate(self.which.most);
        Ok(Concerned { count: letters.len() as u64, letters })
    }

    /// Takes letters out: puts them back into their queue, or deletes them.
    async fn exhume(&self, queue: &Arc<str>, replay: bool) -> Result<Concerned, CommandError> {
        let (mut done, mut unseen) = (0, None);
        while done < self.which.most && unseen != Some(0) {
            let found = self.next(&mut unseen).await?;
            let room = self.which.most - done;
            let wanted: Vec<_> = found.iter().filter(|one| self.which.holds(&read(one))).take(room).collect();
            if replay {
                try_join_all(wanted.iter().map(|one| self.send_back(one, queue))).await?;
            }
            for one in &wanted {
                let ack = self.channel.basic_ack(one.delivery.delivery_tag, BasicAckOptions::default());
                self.amqp.answered(ack).await?;
            }
            done += wanted.len();
        }
        Ok(Concerned { count: done as u64, letters: Vec::new() })
    }

    /// Its attempts are counted anew; its history stays.
    async fn send_back(&self, letter: &BasicGetMessage, queue: &Arc<str>) -> Result<(), CommandError> {
        let entry = read(letter).entry;
        let past =
            Past { id: &entry.id, attempt: 1, first_seen_ms: entry.first_seen_ms, history: entry.history.clone() };
        let persistent = self.link.topology.is_persistent();
        let properties = properties::of_copy(&letter.delivery.properties, past, None, persistent);
        let (told, answer) = oneshot::channel();
        let to = To::itself(queue.clone(), 0);
        let deadline = Some(self.deadline);
        self.link.line.push(Job { to, properties, body: entry.body.clone(), deadline, done: Done::Told(told) });
        answer.await.unwrap_or_else(|_| Err(CommandError::NotSent("the broker was closed".to_owned())))
    }

    async fn purge_all(&self) -> Result<Concerned, CommandError> {
        let purge = self.channel.queue_purge(short(&self.name).unwrap_or_default(), QueuePurgeOptions::default());
        let count = u64::from(self.amqp.answered(purge).await?);
        Ok(Concerned { count, letters: Vec::new() })
    }

    /// The next letters. Never more than there were at first: what is replayed may die again meanwhile.
    async fn next(&self, unseen: &mut Option<usize>) -> Result<Vec<BasicGetMessage>, CommandError> {
        // The first one says how many there are. A quorum queue that is asked for its length counts late what has just come
        // back.
        let found = self.take(unseen.unwrap_or(1)).await?;
        let there = || found.first().map_or(0, |first| (first.message_count as usize).saturating_add(1));
        let left = unseen.unwrap_or_else(there);
        *unseen = Some(if found.is_empty() { 0 } else { left - found.len() });
        Ok(found)
    }

    /// At most so many.
    async fn take(&self, most: usize) -> Result<Vec<BasicGetMessage>, CommandError> {
        let get = |_| {
            let name = short(&self.name).unwrap_or_default();
            self.amqp.answered(self.channel.basic_get(name, BasicGetOptions::default()))
        };
        let late = |_| CommandError::NotSent("the dead letters are too many for the time that there was".to_owned());
        let found = timeout_at(self.deadline, try_join_all((0..most.min(CHUNK)).map(get))).await.map_err(late)??;
        Ok(found.into_iter().flatten().collect())
    }
}

/// What is no letter of ours is shown as one.
fn read(message: &BasicGetMessage) -> DeadLetter {
    let properties = &message.delivery.properties;
    let table = properties.headers().as_ref();
    let number = |name| table.and_then(|table| headers::read_number(table, name)).unwrap_or_default();
    let id = properties.message_id().as_ref().map_or("unreadable", |id| id.as_str());
    let mut entry = Entry::new(id, number(headers::FIRST_SEEN), Bytes::copy_from_slice(&message.delivery.data));
    if let Some(table) = table {
        entry.attempt = headers::read_attempt(table);
        entry.history = headers::read_history(table).to_vec();
    }
    DeadLetter { entry, reason: headers::read_reason(table), died_at_ms: number(headers::DIED_AT) }
}
