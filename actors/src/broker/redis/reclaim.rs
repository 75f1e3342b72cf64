use std::sync::Arc;

use formicary_protocol::{Bytes, Entry, Failure};
use tokio::time::Instant;

use super::connection::Link;
use super::consumer::Consumer;
use super::field::Field;
use super::keys::Keys;
use crate::events::{Event, EventKind};
use crate::redis::{CommandError, Reply};

/// What one step moves at most.
const MOST_MESSAGES: &str = "100";
const MOST_BYTES: &str = "1048576";
/// How the place of a dead consumer is marked, from the first step on.
const MARKED: &str = "-1";

/// From so many attempts on, messages of a dead consumer come back one after another, and not together: whichever of them
/// kills its process should not take those along, again and again, that only were in hand beside it.
const SUSPECT: u32 = 3;
/// So far apart.
const APART_MS: u64 = 100;

/// Puts all that a dead consumer held among the delayed messages, due at once, with one attempt more: whichever of them
/// killed its process must not do so for ever. `by` is the one of ours that is told as the one who took them over.
pub(super) async fn reclaim(link: &Link, by: &Consumer, uid: &Bytes, counter: Bytes) {
    let mut counter = counter;
    let mut entries = Vec::new();
    let mut suspects = 0;
    let mut all = 0;
    loop {
        let answer = step(link, by, uid, &counter, &entries).await;
        let (moved, next) = match answer {
            Ok(Some(answer)) => answer,
            // Its owner has come back, or another survivor is at it.
            Ok(None) => break,
            Err(CommandError::Refused { message, .. }) => {
                link.say("reclaim refused", by, &format!("the server refuses to reclaim: {message}; trying again"));
                break;
            }
            // Whoever sees the mark stand still for a lease goes on.
            Err(_) => break,
        };
        all += moved;
        told(link, by, uid, moved);
        if next.is_empty() {
            break;
        }
        entries = next.into_iter().map(|(field, value)| again(link, uid, field, value, &mut suspects)).collect();
        counter = MARKED.into();
    }
    if all > 0 {
        let from = String::from_utf8_lossy(uid);
        link.say("reclaimed", by, &format!("took {all} messages over from the consumer {from}, which is dead"));
        link.due_at(&by.queue, Instant::now());
    }
}

type Values = Vec<(Bytes, Bytes)>;

/// A message that comes back.
struct Again {
    field: Bytes,
    entry: Bytes,
    delay_ms: u64,
}

/// Moves those that were read before, and reads the next ones.
async fn step(
    link: &Link,
    by: &Consumer,
    uid: &Bytes,
    counter: &Bytes,
    entries: &[Again],
) -> Result<Option<(u64, Values)>, CommandError> {
    let keys = [by.keys.leases.clone(), Keys::taken(&by.queue, uid), by.keys.delayed.clone()];
    let mut args = vec![uid.clone(), counter.clone(), MOST_MESSAGES.into(), MOST_BYTES.into()];
    for Again { field, entry, delay_ms } in entries {
        args.extend([field.clone(), entry.clone(), delay_ms.to_string().into()]);
    }
    let mut answer = link.run(&link.scripts.reclaim, &keys, &args).await?.list().unwrap_or_default().into_iter();
    let moved = answer.next().and_then(|moved| u64::try_from(moved.int()?).ok());
    let mut values = answer.next().and_then(Reply::list).unwrap_or_default().into_iter().filter_map(Reply::bytes);
    let mut next = Vec::new();
    while let (Some(field), Some(value)) = (values.next(), values.next()) {
        next.push((field, value));
    }
    Ok(moved.map(|moved| (moved, next)))
}

/// The entry of a message whose consumer died. What is not ours to read stays as it is.
fn again(link: &Link, uid: &Bytes, field: Bytes, value: Bytes, suspects: &mut u64) -> Again {
    let uid = String::from_utf8_lossy(uid);
    let mut entry = match Field::parse(&field).filter(|field| field.is_fresh()) {
        Some(field) => {
            let mut id = String::new();
            field.id(&uid, &mut id);
            Entry::new(&id, field.taken_at_ms(), value)
        }
        None => match Entry::decode(&value) {
            Ok(entry) => entry,
            Err(_) => return Again { field, entry: value, delay_ms: 0 },
        },
    };
    entry.attempt = entry.attempt.saturating_add(1);
    let text = format!("its consumer {uid} died while it had this message");
    entry.push_failure(Failure::new(link.context.env.clock.now_ms(), "", "", &text));
    *suspects += u64::from(entry.attempt >= SUSPECT);
    let delay_ms = if entry.attempt >= SUSPECT { *suspects * APART_MS } else { 0 };
    Again { field, entry: entry.encode(), delay_ms }
}

fn told(link: &Link, by: &Consumer, uid: &Bytes, moved: u64) {
    let from: Arc<str> = String::from_utf8_lossy(uid).into();
    for _ in 0..moved {
        link.context.env.events.emit(EventKind::Reclaimed, || Event::Reclaimed {
            queue: by.queue.clone(),
            consumer: by.name.clone(),
            from: from.clone(),
        });
    }
}
