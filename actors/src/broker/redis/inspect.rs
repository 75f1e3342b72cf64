use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::Bytes;
use tokio::time::Instant;

use super::connection::Link;
use super::dead;
use super::keys::Keys;
use super::reasons::{WORDS, counts};
use crate::contract::{Counts, DeadCounts, Inspect};
use crate::error::Error;
use crate::redis::Reply;

/// Counts a queue. In flight is what lies in the places of all consumers that have a lease, in every process.
pub(super) async fn inspect(link: Rc<Link>, inspect: Inspect) {
    let Inspect { queue, deadline, reply } = inspect;
    reply.send(count(&link, &queue, deadline).await);
}

async fn count(link: &Link, queue: &str, deadline: Instant) -> Result<Counts, Error> {
    let Keys { list, delayed, dead, meta, leases, .. } = Keys::of(queue);
    let what = format!("the counts of queue `{queue}`");
    let error = |error: crate::redis::CommandError| error.during(&what);
    let consumers = link.nodes.run(&link.scripts.consumers, &[leases], &[], left(deadline)).await.map_err(error)?;
    let consumers = consumers.list().and_then(|mut list| list.pop()).and_then(Reply::list).unwrap_or_default();
    let mut names = vec![list, delayed, dead, meta];
    names.extend(consumers.into_iter().filter_map(Reply::bytes).map(|uid| Keys::taken(queue, &uid)));
    let words = WORDS.map(|word| Bytes::from_static(word.as_bytes()));
    let answer = link.nodes.run(&link.scripts.inspect, &names, &words, left(deadline)).await.map_err(error)?;
    let numbers: Vec<u64> =
        answer.list().unwrap_or_default().iter().filter_map(|item| u64::try_from(item.int()?).ok()).collect();
    let [waiting, in_flight, delayed, dead, by_reason @ ..] = &numbers[..] else {
        return Err(Error::Refused { what, reason: "its answer is not understood".to_owned() });
    };
    let dead_by = match counts(by_reason) {
        counted if counted.sum() == *dead => counted,
        // Somebody else has added or removed letters.
        _ => dead::recount(link, queue, *dead, deadline).await?,
    };
    Ok(told(*waiting, *in_flight, *delayed, *dead, dead_by))
}

fn told(waiting: u64, in_flight: u64, delayed: u64, dead: u64, dead_by: DeadCounts) -> Counts {
    let mut counts = Counts::new(waiting, in_flight, delayed, dead_by);
    counts.dead = dead;
    counts
}

pub(super) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
