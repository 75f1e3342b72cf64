use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::{Bytes, DeadLetter, DeadReason, Entry};
use tokio::time::Instant;

use super::connection::Link;
use super::keys::Keys;
use crate::contract::{Concerned, Counts, Dead, DeadCounts, DeadRequest, Inspect};
use crate::error::Error;
use crate::redis::{Reply, Script};

/// How many letters one script reads or moves.
const CHUNK: usize = 100;

/// Counts a queue. In flight are the messages of this adapter's own consumers: what others have is counted when leases
/// make consumers known to each other.
pub(super) async fn inspect(link: Rc<Link>, inspect: Inspect) {
    let keys = Keys::of(&inspect.queue);
    let mut names = vec![keys.list, keys.delayed, keys.dead];
    names.extend(link.consumers_of(&inspect.queue).iter().map(|consumer| consumer.taken.clone()));
    let what = format!("the counts of queue `{}`", inspect.queue);
    let answer = link.connection.run(&link.scripts.inspect, &names, &[], left(inspect.deadline)).await;
    inspect.reply.send(answer.map_err(|error| error.during(&what)).and_then(|answer| {
        let counts: Vec<u64> =
            answer.list().unwrap_or_default().iter().filter_map(|item| u64::try_from(item.int()?).ok()).collect();
        match counts[..] {
            [waiting, in_flight, delayed, dead] => {
                let mut reasons = DeadCounts::default();
                reasons.add(&DeadReason::Other("".into()), dead);
                Ok(Counts::new(waiting, in_flight, delayed, reasons))
            }
            _ => Err(Error::Refused { what, reason: "its answer is not four numbers".to_owned() }),
        }
    }));
}

/// Looks at, replays or purges dead letters.
pub(super) async fn dead(link: Rc<Link>, dead: Dead) {
    let Dead { queue, request, which, deadline, reply } = dead;
    let keys = Keys::of(&queue);
    let outcome = match request {
        DeadRequest::Replay => replay(&link, &keys, which.most, deadline).await,
        DeadRequest::Purge => purge(&link, &keys, deadline).await,
        _ => peek(&link, &keys, which.most, deadline).await,
    };
    let outcome = outcome.map(|letters| Concerned { count: letters.len() as u64, letters });
    if request == DeadRequest::Replay {
        link.due_at(&queue, Instant::now());
    }
    reply.send(outcome);
}

async fn peek(link: &Link, keys: &Keys, most: usize, deadline: Instant) -> Result<Vec<DeadLetter>, Error> {
    let mut letters = Vec::new();
    while letters.len() < most {
        let first = letters.len();
        let last = first + CHUNK.min(most - first) - 1;
        let args = [first.to_string().into(), last.to_string().into()];
        let raw = read(link, &link.scripts.peek, keys, &args, deadline).await?;
        letters.extend(raw.iter().map(letter));
        if raw.len() < CHUNK {
            break;
        }
    }
    Ok(letters)
}

async fn purge(link: &Link, keys: &Keys, deadline: Instant) -> Result<Vec<DeadLetter>, Error> {
    let mut letters = Vec::new();
    loop {
        let raw = read(link, &link.scripts.purge, keys, &[CHUNK.to_string().into()], deadline).await?;
        letters.extend(raw.iter().map(letter));
        if raw.len() < CHUNK {
            return Ok(letters);
        }
    }
}

async fn replay(link: &Link, keys: &Keys, most: usize, deadline: Instant) -> Result<Vec<DeadLetter>, Error> {
    let mut replayed = Vec::new();
    // Never more than there are now: what is replayed may die again meanwhile.
    let total = link.connection.request("LLEN", vec![keys.dead.clone()], left(deadline)).await;
    let total = total.map_err(|error| error.during("the replay of dead letters"))?.int().unwrap_or_default();
    let most = most.min(usize::try_from(total).unwrap_or_default());
    while replayed.len() < most {
        let last = CHUNK.min(most - replayed.len()) - 1;
        let args = [Bytes::from_static(b"0"), last.to_string().into()];
        let raw = read(link, &link.scripts.peek, keys, &args, deadline).await?;
        let letters: Vec<_> = raw.iter().map(letter).collect();
        let args: Vec<_> = raw.into_iter().zip(&letters).flat_map(|(raw, letter)| [raw, afresh(letter)]).collect();
        let names = [keys.delayed.clone(), keys.dead.clone()];
        let moved = link.connection.run(&link.scripts.replay, &names, &args, left(deadline)).await;
        let moved = moved.map_err(|error| error.during("the replay of dead letters"))?.int().unwrap_or_default();
        let moved = usize::try_from(moved).unwrap_or_default();
        replayed.extend(letters.into_iter().take(moved));
        if moved == 0 {
            break;
        }
    }
    Ok(replayed)
}

/// The entry of a letter with its attempts counted anew, and its history.
fn afresh(letter: &DeadLetter) -> Bytes {
    Entry { attempt: 1, ..letter.entry.clone() }.encode()
}

async fn read(
    link: &Link,
    script: &Script,
    keys: &Keys,
    args: &[Bytes],
    deadline: Instant,
) -> Result<Vec<Bytes>, Error> {
    let answer = link.connection.run(script, std::slice::from_ref(&keys.dead), args, left(deadline)).await;
    let answer = answer.map_err(|error| error.during("the dead letters"))?;
    let letters = answer.list().and_then(|mut list| list.pop()).and_then(Reply::list).unwrap_or_default();
    Ok(letters.into_iter().filter_map(Reply::bytes).collect())
}

/// What is no letter of ours is shown as one, with its bytes as the body.
fn letter(raw: &Bytes) -> DeadLetter {
    DeadLetter::decode(raw).unwrap_or_else(|_| DeadLetter {
        entry: Entry::new("unreadable", 0, raw.clone()),
        reason: DeadReason::Other("unreadable".into()),
        died_at_ms: 0,
    })
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
