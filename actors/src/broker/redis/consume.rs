use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::Bytes;

use super::connection::Link;
use super::consumer::Consumer;
use super::keys::{FORMAT, FORMAT_BEFORE, Keys, apart};
use super::{intake, lease};
use crate::contract::{Consume, DedupBy};
use crate::error::Error;
use crate::redis::{CommandError, Reply};

/// How many keys one step of the search for old places looks at, and the pause after it.
const SCANNED: &str = "1000";
const SCAN_PAUSE: Duration = Duration::from_millis(5);

/// Begins to consume: checks the queue's keys, then takes messages until the consumer is cancelled.
pub(super) async fn consume(link: Rc<Link>, consume: Consume) {
    let consumer = Rc::new(Consumer::new(&consume, link.context.env.ids.id()));
    if let Err(error) = begin(&link, &consumer, consume.dedup).await {
        return consume.reply.send(Err(error));
    }
    if link.closed.get() {
        enter_no_more(&link, &consumer).await;
        return consume.reply.send(Err(Error::Closed("the broker")));
    }
    link.consumers.borrow_mut().insert(consume.id, consumer.clone());
    lease::watch(&link, &consumer.queue);
    consume.reply.send(Ok(()));
    intake::serve(link.clone(), consumer.clone()).await;
    link.consumers.borrow_mut().remove(&consume.id);
    link.consumer_left.notify_waiters();
    consumer.leaving.leave();
}

async fn begin(link: &Link, consumer: &Consumer, dedup: Option<DedupBy>) -> Result<(), Error> {
    let what = || format!("the consumer of queue `{}`", consumer.queue);
    if dedup == Some(DedupBy::Id) {
        let reason = "the messages of a Redis list carry no ids of their senders: use `dedup(window, by = \"field\")`";
        return Err(Error::Refused { what: what(), reason: reason.to_owned() });
    }
    let answer = enter(link, consumer, None).await;
    // Asked for after the server has answered: only now it is known what kind it is.
    if let Some(reason) = apart(&consumer.queue, &consumer.outbox).filter(|_| link.nodes.home().is_cluster()) {
        return Err(Error::Refused { what: what(), reason });
    }
    let unreachable = |error| match error {
        CommandError::Refused { message, .. } => Error::Refused { what: what(), reason: message },
        CommandError::NotSent(reason) | CommandError::Unknown(reason) => {
            Error::Unreachable { what: "broker", address: link.nodes.home().endpoint().to_string(), reason }
        }
    };
    let mut found = answer.map_err(unreachable)?;
    if found == FORMAT_BEFORE {
        let taken_over = async {
            watch_old_places(link, consumer).await?;
            enter(link, consumer, Some(FORMAT_BEFORE)).await
        };
        found = taken_over.await.map_err(unreachable)?;
    }
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

/// Checks the queue's keys and enters the consumer among those that live. Returns the format that was found: the consumer
/// is entered only if it is ours, or the one that may be taken over.
pub(super) async fn enter(
    link: &Link,
    consumer: &Consumer,
    take_over: Option<&'static str>,
) -> Result<Bytes, CommandError> {
    let Keys { list, delayed, dead, meta, leases, seen } = consumer.keys.clone();
    let keys = [list, consumer.taken.clone(), delayed, dead, meta, leases, seen];
    let args = [FORMAT.into(), take_over.unwrap_or_default().into(), consumer.uid_bytes.clone()];
    let opened = link.run(&link.scripts.open, &keys, &args).await?;
    Ok(opened.list().and_then(|mut list| list.pop()).and_then(Reply::bytes).unwrap_or_default())
}

/// Takes a consumer off the list; what happens to it if that fails is that its lease runs out.
async fn enter_no_more(link: &Link, consumer: &Consumer) {
    let keys = [consumer.keys.leases.clone(), consumer.taken.clone()];
    link.run(&link.scripts.leave, &keys, std::slice::from_ref(&consumer.uid_bytes)).await.ok();
}

/// Finds the places that consumers without leases have left, and enters them: they are then reclaimed like all others.
async fn watch_old_places(link: &Link, consumer: &Consumer) -> Result<(), CommandError> {
    let within = link.context.env.limits.send_deadline;
    let places = Keys::taken(&consumer.queue, b"");
    let pattern = [&escaped(&places), &b"*"[..]].concat();
    let mut cursor = Bytes::from_static(b"0");
    let node = link.nodes.of(&consumer.keys.list);
    loop {
        let args = vec![
            cursor,
            "MATCH".into(),
            pattern.clone().into(),
            "COUNT".into(),
            SCANNED.into(),
            "TYPE".into(),
            "hash".into(),
        ];
        let mut answer = node.connection.request("SCAN", args, within).await?.list().unwrap_or_default().into_iter();
        cursor = answer.next().and_then(Reply::bytes).unwrap_or_else(|| "0".into());
        let found = answer.next().and_then(Reply::list).unwrap_or_default().into_iter().filter_map(Reply::bytes);
        for owner in found.filter_map(|key| Some(key.slice_ref(key.strip_prefix(&places[..])?))) {
            link.run(&link.scripts.enter, std::slice::from_ref(&consumer.keys.leases), &[owner]).await?;
        }
        if cursor == "0" {
            return Ok(());
        }
        tokio::time::sleep(SCAN_PAUSE).await;
    }
}

/// A text in a pattern that means itself.
fn escaped(text: &[u8]) -> Vec<u8> {
    let special = |byte: &u8| b"*?[]\\^-".contains(byte);
    text.iter().flat_map(|byte| special(byte).then_some(b'\\').into_iter().chain([*byte])).collect()
}
