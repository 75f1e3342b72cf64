use std::rc::Rc;

use formicary_protocol::Bytes;

use super::connection::Link;
use super::inspect::left;
use crate::contract::WasSeen;
use crate::error::Error;

/// Says which keys are remembered.
pub(super) async fn were_seen(link: Rc<Link>, ask: WasSeen) {
    let WasSeen { consumer, keys, deadline, reply } = ask;
    let Some(consumer) = link.consumers.borrow().get(&consumer).cloned() else {
        return reply.send(Err(Error::Closed("the consumer")));
    };
    let what = format!("the remembered keys of queue `{}`", consumer.queue);
    let args: Vec<_> = keys.iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect();
    let names = std::slice::from_ref(&consumer.keys.seen);
    let answer = link.nodes.run(&link.scripts.seen, names, &args, left(deadline)).await;
    reply.send(answer.map_err(|error| error.during(&what)).and_then(|answer| {
        let seen: Vec<_> = answer.list().unwrap_or_default().iter().map(|one| one.int() == Some(1)).collect();
        match seen.len() == keys.len() {
            true => Ok(seen),
            false => Err(Error::Refused { what, reason: "its answer is not understood".to_owned() }),
        }
    }));
}
