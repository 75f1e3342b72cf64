use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::{Bytes, DeadReason, Entry};
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::Link;
use super::consumer::Consumer;
use super::keys::FORMAT;
use super::settle;
use crate::contract::{Consume, Outcome, Settlement};
use crate::error::Error;
use crate::redis::{CommandError, Connection, Reply};

/// How long a read blocks: so often messages are looked for whose delay another process has set.
const MOST_BLOCK: Duration = Duration::from_secs(2);
/// What one take brings at most, so that no answer grows too large.
const MOST_MESSAGES: usize = 256;
const MOST_BYTES: usize = 4 << 20;
/// How long a cancelled consumer waits for the answer to its last take.
const LAST_TAKE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// Begins to consume: checks the queue's keys, then takes messages until the consumer is cancelled.
pub(super) async fn consume(link: Rc<Link>, consume: Consume) {
    let consumer = Rc::new(Consumer::new(&consume, link.context.env.ids.id()));
    if let Err(error) = open(&link, &consumer).await {
        return consume.reply.send(Err(error));
    }
    if link.closed.get() {
        return consume.reply.send(Err(Error::Closed("the broker")));
    }
    link.consumers.borrow_mut().insert(consume.id, consumer.clone());
    let reader = link.open_another(format!("broker consumer {}", consumer.queue));
    consume.reply.send(Ok(()));
    intake(&link, &consumer, reader).await;
    consumer.end_intake();
    clear_up(&link, &consumer).await;
    link.consumers.borrow_mut().remove(&consume.id);
}

/// Waits until nothing of a cancelled consumer is left at the server.
async fn clear_up(link: &Rc<Link>, consumer: &Rc<Consumer>) {
    // What the last take brought without our knowing goes back, whenever the server can be asked again.
    let mut pause = FIRST_PAUSE;
    while consumer.unsure.get() && !link.ended.get() {
        if let Err(error) = recover(link, consumer).await {
            refused(link, consumer, &error);
            rest(&mut pause).await;
        }
    }
    consumer.emptied().await;
}

async fn open(link: &Link, consumer: &Consumer) -> Result<(), Error> {
    let keys = &consumer.keys;
    let names = [keys.list.clone(), keys.delayed.clone(), keys.dead.clone(), keys.meta.clone()];
    let what = || format!("the consumer of queue `{}`", consumer.queue);
    let opened = link.run(&link.scripts.open, &names, &[FORMAT.into()]).await.map_err(|error| match error {
        CommandError::Refused { message, .. } => Error::Refused { what: what(), reason: message },
        CommandError::NotSent(reason) | CommandError::Unknown(reason) => {
            Error::Unreachable { what: "broker", address: link.connection.endpoint().to_string(), reason }
        }
    })?;
    let found = opened.list().and_then(|mut list| list.pop()).and_then(Reply::bytes).unwrap_or_default();
    if found != FORMAT {
        let found = String::from_utf8_lossy(&found).escape_debug().to_string();
        return Err(Error::Settings(format!(
            "the queue `{}` is kept in format `{found}`, and this version reads format {FORMAT}: use the version that wrote \
             it, or empty the queue there and delete the key `{}:meta`",
            consumer.queue, consumer.queue
        )));
    }
    Ok(())
}

/// Says whether the server refused to wait.
type Wait = Pin<Box<dyn Future<Output = bool>>>;

/// Takes as much as there is credit for; when nothing is there, waits for the list, for the next delay that ends, or for
/// word of either.
async fn intake(link: &Rc<Link>, consumer: &Rc<Consumer>, reader: Connection) {
    let mut look = true;
    let (mut pause, mut refusals) = (FIRST_PAUSE, FIRST_PAUSE);
    // Kept over turns of the loop: a blocking read that was begun can't be taken back.
    let mut wait: Option<Wait> = None;
    while !consumer.cancelled.get() {
        let free = consumer.free();
        let due = consumer.due.get().filter(|_| free > 0);
        if free > 0 && (look || due.is_some_and(|due| due <= Instant::now())) {
            match take(link, consumer, free).await {
                Ok(more) => (look, pause) = (more, FIRST_PAUSE),
                Err(error) => {
                    look = true;
                    refused(link, consumer, &error);
                    tokio::select! { biased; () = consumer.cancelled() => {}, () = rest(&mut pause) => {} }
                }
            }
            continue;
        }
        if !look && wait.is_none() {
            wait = Some(Box::pin(until_some(link.clone(), consumer.clone(), reader.clone(), refusals)));
        }
        tokio::select! {
            biased;
            () = consumer.changed.notified() => {}
            () = alarm(due) => {}
            refused = ended(&mut wait) => {
                (look, wait) = (true, None);
                refusals = if refused { (refusals * 2).min(MOST_PAUSE) } else { FIRST_PAUSE };
            }
        }
    }
}

async fn alarm(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn ended(wait: &mut Option<Wait>) -> bool {
    match wait {
        Some(wait) => wait.await,
        None => std::future::pending().await,
    }
}

/// Returns when there is reason to look: an entry, the end of the block, or a pause after a refusal (`true`).
async fn until_some(link: Rc<Link>, consumer: Rc<Consumer>, reader: Connection, pause: Duration) -> bool {
    let block = MOST_BLOCK.min(link.block());
    let Err(error @ CommandError::Refused { .. }) = reader.wait_for_entry(&consumer.queue, block).await else {
        return false;
    };
    // A server that is out of memory does not block, and still lets us take: so we look from time to time.
    refused(&link, &consumer, &error);
    sleep(pause).await;
    true
}

/// Takes up to `free` messages and delivers them. Returns whether there may be more.
async fn take(link: &Rc<Link>, consumer: &Rc<Consumer>, free: usize) -> Result<bool, CommandError> {
    if consumer.unsure.get() {
        recover(link, consumer).await?;
        return Ok(true);
    }
    let most = free.min(MOST_MESSAGES);
    let keys = [consumer.keys.list.clone(), consumer.taken.clone(), consumer.keys.delayed.clone()];
    let args: [Bytes; 5] = [
        most.to_string().into(),
        Bytes::copy_from_slice(consumer.uid.as_bytes()),
        consumer.reserve(most).to_string().into(),
        link.context.env.clock.now_ms().to_string().into(),
        MOST_BYTES.to_string().into(),
    ];
    consumer.due.set(None);
    let answer = tokio::select! {
        biased;
        answer = link.run(&link.scripts.take, &keys, &args) => answer,
        () = too_late(consumer) => Err(CommandError::Unknown("the consumer was cancelled".to_owned())),
    };
    let answer = answer.inspect_err(|error| {
        if matches!(error, CommandError::Unknown(_)) {
            consumer.unsure.set(true);
        }
    })?;
    let now = Instant::now();
    let Some(([wait, waiting, in_place], got)) = numbers_and_entries(answer) else {
        consumer.unsure.set(true);
        return Err(CommandError::Unknown("the answer to a take is not understood".to_owned()));
    };
    let full = got.len() >= most;
    deliver(link, consumer, got);
    // One that was given up and ran late: nothing may stay there unknown.
    if in_place > consumer.held.borrow().len() as i64 {
        consumer.unsure.set(true);
        return Ok(true);
    }
    if let Ok(wait) = u64::try_from(wait) {
        consumer.due_at(now + Duration::from_millis(wait));
    }
    Ok(full || waiting > 0)
}

async fn too_late(consumer: &Consumer) {
    consumer.cancelled().await;
    sleep(LAST_TAKE).await;
}

/// Reads our place, and delivers what we did not know of.
async fn recover(link: &Rc<Link>, consumer: &Rc<Consumer>) -> Result<(), CommandError> {
    // What is settled while we read may stand in the answer and is not ours any more.
    *consumer.gone.borrow_mut() = Some(Vec::new());
    let answer = link.run(&link.scripts.held, std::slice::from_ref(&consumer.taken), &[]).await;
    let held = answer.map(numbers_and_entries::<1>);
    let unknown = held.map(|held| {
        let mut unknown = held.map(|(_, entries)| entries).unwrap_or_default();
        unknown.retain(|(field, _)| !consumer.knows(field));
        unknown.sort();
        unknown
    });
    *consumer.gone.borrow_mut() = None;
    let unknown = unknown?;
    deliver(link, consumer, unknown);
    consumer.sure();
    Ok(())
}

type Entries = Vec<(Bytes, Bytes)>;

fn numbers_and_entries<const N: usize>(answer: Reply) -> Option<([i64; N], Entries)> {
    let mut items = answer.list()?;
    let entries = items.pop()?.list()?;
    let numbers: Vec<i64> = items.iter().filter_map(Reply::int).collect();
    let pair = |item: Reply| match <[Reply; 2]>::try_from(item.list()?).ok()? {
        [Reply::Bytes(field), Reply::Bytes(entry)] => Some((field, entry)),
        _ => None,
    };
    Some((numbers.try_into().ok()?, entries.into_iter().map(pair).collect::<Option<_>>()?))
}

fn deliver(link: &Rc<Link>, consumer: &Rc<Consumer>, got: Entries) {
    let (mut back, mut dead) = (Vec::new(), Vec::new());
    for (field, bytes) in got {
        let entry = Entry::decode(&bytes);
        let readable = entry.is_ok();
        let entry = entry.unwrap_or_else(|_| {
            let id = String::from_utf8_lossy(&field);
            Entry::new(&id, link.context.env.clock.now_ms(), bytes)
        });
        let delivered = consumer.hold(field, entry);
        let settled = |outcome| Settlement::new(delivered.token, outcome);
        if !readable {
            dead.push(settled(Outcome::Dead { reason: DeadReason::Undecodable }));
        } else if consumer.cancelled.get() {
            back.push(settled(Outcome::Return));
        } else {
            consumer.inlet.deliver(delivered);
        }
    }
    dead.append(&mut back);
    if !dead.is_empty() {
        settle::settle(link, consumer, dead.into(), None);
    }
}

async fn rest(pause: &mut Duration) {
    sleep(*pause).await;
    *pause = (*pause * 2).min(MOST_PAUSE);
}

/// The connection tells of its outages itself; this is for what the server says.
fn refused(link: &Link, consumer: &Consumer, error: &CommandError) {
    if let CommandError::Refused { message, .. } = error
        && let Some(times) = link.context.env.events.line_due("queue refused", &consumer.queue)
    {
        let (queue, consumer) = (&consumer.queue, &consumer.name);
        tracing::warn!(%queue, %consumer, times, "the server refuses to give messages: {message}; trying again");
    }
}
