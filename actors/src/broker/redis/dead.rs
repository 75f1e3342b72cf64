use std::rc::Rc;

use formicary_protocol::{Bytes, DeadLetter, DeadReason, Entry};
use tokio::time::Instant;

use super::connection::Link;
use super::inspect::left;
use super::keys::Keys;
use super::reasons::{REASONS, WORDS, counts, word};
use crate::contract::{Concerned, Dead, DeadCounts, DeadRequest, Letters};
use crate::error::Error;
use crate::redis::Reply;

/// How many letters one script reads or moves.
const CHUNK: usize = 100;
/// So often a walk begins anew because somebody else took letters out meanwhile.
const MOST_DISTURBED: usize = 100;

/// Looks at, replays or purges dead letters.
pub(super) async fn dead(link: Rc<Link>, dead: Dead) {
    let Dead { queue, request, which, deadline, reply } = dead;
    let walk = Walk { link: &link, keys: Keys::of(&queue), which, deadline };
    let outcome = match request {
        DeadRequest::Peek => walk.peek().await,
        DeadRequest::Replay | DeadRequest::Purge => walk.exhume(request == DeadRequest::Replay).await,
    };
    if request == DeadRequest::Replay {
        link.due_at(&queue, Instant::now());
    }
    reply.send(outcome);
}

/// Counts the letters of each reason, and mends the counts that are kept.
pub(super) async fn recount(link: &Link, queue: &str, dead: u64, deadline: Instant) -> Result<DeadCounts, Error> {
    let walk = Walk { link, keys: Keys::of(queue), which: Letters::all(), deadline };
    let mut by_reason = [0; WORDS.len()];
    let mut at = 0;
    loop {
        let (_, letters) = walk.read(at).await?;
        for letter in &letters {
            let index = REASONS.iter().position(|reason| *reason == letter.what.reason).unwrap_or(REASONS.len());
            by_reason[index] += 1;
        }
        at += letters.len();
        if letters.len() < CHUNK {
            break;
        }
    }
    let mut args = vec![Bytes::from(dead.to_string())];
    for (word, letters) in WORDS.iter().zip(by_reason) {
        args.extend([Bytes::from_static(word.as_bytes()), letters.to_string().into()]);
    }
    let keys = [walk.keys.dead.clone(), walk.keys.meta.clone()];
    let mended = link.nodes.run(&link.scripts.recount, &keys, &args, left(deadline)).await;
    mended.map_err(|error| error.during("the counts of dead letters"))?;
    Ok(counts(&by_reason))
}

/// A walk through the dead letters of a queue, from the oldest on.
struct Walk<'a> {
    link: &'a Link,
    keys: Keys,
    which: Letters,
    deadline: Instant,
}

/// A letter, where it stood, and its bytes.
struct Found {
    index: usize,
    raw: Bytes,
    what: DeadLetter,
    readable: bool,
}

impl Walk<'_> {
    async fn peek(&self) -> Result<Concerned, Error> {
        let mut letters = Vec::new();
        let mut at = 0;
        while letters.len() < self.which.most {
            let (_, found) = self.read(at).await?;
            let chunk = found.len();
            at += chunk;
            letters.extend(found.into_iter().map(|found| found.what).filter(|letter| self.which.holds(letter)));
            if chunk < CHUNK {
                break;
            }
        }
        letters.truncate(self.which.most);
        Ok(Concerned { count: letters.len() as u64, letters })
    }

    /// Takes letters out: puts them back into their queue, or deletes them.
    async fn exhume(&self, replay: bool) -> Result<Concerned, Error> {
        let stand_in = Bytes::from(format!("removed {}", self.link.context.env.ids.id()));
        let (mut at, mut done, mut disturbed) = (0, 0, 0);
        let mut unseen = None;
        while done < self.which.most {
            let (all, found) = self.read(at).await?;
            // Never more than there were at first: what is replayed may die again meanwhile.
            let unseen = unseen.get_or_insert(all);
            let chunk = found.len().min(*unseen);
            let wanted: Vec<_> = found
                .into_iter()
                .take(chunk)
                .filter(|found| self.which.holds(&found.what))
                .take(self.which.most - done)
                .collect();
            let moved = if wanted.is_empty() { 0 } else { self.take_out(&stand_in, done, &wanted, replay).await? };
            done += moved;
            if moved < wanted.len() {
                // Somebody else took some out: those that we want stand further in front now.
                disturbed += 1;
                at = 0;
                if disturbed > MOST_DISTURBED {
                    break;
                }
                continue;
            }
            *unseen -= chunk;
            at += chunk - moved;
            if chunk < CHUNK {
                break;
            }
        }
        Ok(Concerned { count: done as u64, letters: Vec::new() })
    }

    async fn take_out(&self, stand_in: &Bytes, done: usize, wanted: &[Found], replay: bool) -> Result<usize, Error> {
        let mut args = vec![stand_in.clone(), done.to_string().into()];
        for found in wanted {
            let reason = Bytes::from_static(word(&found.what.reason).as_bytes());
            let entry = if replay { self.afresh(found) } else { Bytes::new() };
            args.extend([found.index.to_string().into(), found.raw.clone(), reason, entry]);
        }
        let keys = [self.keys.dead.clone(), self.keys.meta.clone(), self.keys.delayed.clone()];
        let moved = self.link.nodes.run(&self.link.scripts.exhume, &keys, &args, left(self.deadline)).await;
        let moved = moved.map_err(|error| error.during("the dead letters"))?;
        Ok(moved.int().and_then(|moved| usize::try_from(moved).ok()).unwrap_or_default())
    }

    /// The entry of a letter with its attempts counted anew, and its history. What is no letter of ours gets an id of its
    /// own: two of them may be equal.
    fn afresh(&self, found: &Found) -> Bytes {
        let mut entry = Entry { attempt: 1, ..found.what.entry.clone() };
        if !found.readable {
            entry.id = self.link.context.env.ids.id().as_ref().to_owned();
        }
        entry.encode()
    }

    /// How many letters there are, and those from here on.
    async fn read(&self, first: usize) -> Result<(usize, Vec<Found>), Error> {
        let args = [first.to_string().into(), (first + CHUNK - 1).to_string().into()];
        let script = &self.link.scripts.peek;
        let keys = std::slice::from_ref(&self.keys.dead);
        let answer = self.link.nodes.run(script, keys, &args, left(self.deadline)).await;
        let mut answer =
            answer.map_err(|error| error.during("the dead letters"))?.list().unwrap_or_default().into_iter();
        let all = answer.next().and_then(|all| usize::try_from(all.int()?).ok()).unwrap_or_default();
        let letters = answer.next().and_then(Reply::list).unwrap_or_default().into_iter().filter_map(Reply::bytes);
        Ok((all, letters.enumerate().map(|(at, raw)| Found::read(first + at, raw)).collect()))
    }
}

impl Found {
    /// What is no letter of ours is shown as one, with its bytes as the body.
    fn read(index: usize, raw: Bytes) -> Self {
        match DeadLetter::decode(&raw) {
            Ok(what) => Self { index, raw, what, readable: true },
            Err(_) => {
                let entry = Entry::new("unreadable", 0, raw.clone());
                let what = DeadLetter { entry, reason: DeadReason::Other("unreadable".into()), died_at_ms: 0 };
                Self { index, raw, what, readable: false }
            }
        }
    }
}
