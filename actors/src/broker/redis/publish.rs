use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Bytes, Entry};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::connection::Link;
use super::keys::Keys;
use crate::broker::settled;
use crate::contract::{Outgoing, Send};
use crate::error::SendError;
use crate::redis::CommandError;

/// Neighbours of a batch that go out in one command.
struct Group {
    queue: Arc<str>,
    delays: Option<Vec<Duration>>,
    bodies: Vec<Bytes>,
}

/// Sends a batch, and answers the sender. Many of these run at once; the line of the connection keeps their order.
pub(super) async fn send(link: Rc<Link>, send: Send) {
    let Send { batch, deadline, reply, permit } = send;
    if let Some(option) = batch.iter().find_map(|outgoing| settled::unsupported(&outgoing.options)) {
        return reply.send(Err(SendError::not_sent(format!("the redis broker has no option `{option}`"))));
    }
    let within = deadline.saturating_duration_since(Instant::now());
    let groups = group(batch);
    // All begun in this one poll, so that they go out in order and in one packet.
    let sent = join_all(groups.iter().map(|group| send_group(&link, group, within))).await;
    for (group, sent) in groups.iter().zip(&sent) {
        if sent.is_ok() {
            group.bodies.iter().for_each(|_| link.context.env.told_queued(&group.queue));
        }
    }
    drop(permit);
    reply.send(outcome(sent));
}

fn group(batch: Vec<Outgoing>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for Outgoing { queue, body, options } in batch {
        let fits = |group: &&mut Group| group.queue == queue && group.delays.is_some() == options.delay.is_some();
        match groups.last_mut().filter(fits) {
            Some(group) => {
                group.bodies.push(body);
                group.delays.iter_mut().for_each(|delays| delays.extend(options.delay));
            }
            None => groups.push(Group { queue, delays: options.delay.map(|delay| vec![delay]), bodies: vec![body] }),
        }
    }
    groups
}

async fn send_group(link: &Link, group: &Group, within: Duration) -> Result<(), CommandError> {
    let Some(delays) = &group.delays else {
        return link.connection.push(&group.queue, group.bodies.clone(), within).await.map(drop);
    };
    let env = &link.context.env;
    let entries = group.bodies.iter().map(|body| Entry::new(&env.ids.id(), env.clock.now_ms(), body.clone()).encode());
    let millis = delays.iter().map(|delay| Bytes::from(delay.as_millis().to_string()));
    let args: Vec<_> = millis.zip(entries).flat_map(|(delay, entry)| [delay, entry]).collect();
    link.connection.run(&link.scripts.delay, &[Keys::of(&group.queue).delayed], &args, within).await?;
    delays.iter().for_each(|delay| link.due_at(&group.queue, crate::clock::after(*delay)));
    Ok(())
}

/// A batch for several queues is not one step at the server: when only a part went out, the whole is unknown.
fn outcome(sent: Vec<Result<(), CommandError>>) -> Result<(), SendError> {
    let (all, mut done) = (sent.len(), 0);
    let mut first = None;
    for one in sent {
        match one {
            Ok(()) => done += 1,
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    match first {
        None => Ok(()),
        Some(error) if done == 0 => Err(error.into()),
        Some(error) => {
            Err(SendError::unknown(format!("{done} of {all} parts of the batch were sent; the first error: {error}")))
        }
    }
}
