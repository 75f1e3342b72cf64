use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Bytes, Entry};
use tokio::time::Instant;

use super::connection::Link;
use super::keys::Keys;
use crate::broker::settled;
use crate::contract::{Outgoing, Send};
use crate::error::SendError;
use crate::redis::{Command, CommandError, Job, MOST_REDIRECTIONS};

/// What an entry of a plain list may have beside its body.
pub(super) const OPTIONS: &[&str] = &["delay"];

/// Neighbours of a batch that go out in one command.
struct Group {
    queue: Arc<str>,
    delays: Option<Vec<Duration>>,
    bodies: Vec<Bytes>,
}

/// A group without delays, in the broker's line.
pub(super) struct Push {
    part: Part,
    queue: Arc<str>,
    bodies: Vec<Bytes>,
    deadline: Instant,
    redirections: usize,
}

/// One part of a batch, which is told to the sender when the last part has ended.
#[derive(Clone)]
struct Part(Rc<Sending>);

struct Sending {
    link: Rc<Link>,
    send: Cell<Option<Send>>,
    all: usize,
    left: Cell<usize>,
    failed: Cell<usize>,
    first_error: RefCell<Option<CommandError>>,
}

/// Sends a batch, and answers the sender. What has no delay goes into the line of the connection, which keeps its order.
pub(super) fn send(link: &Rc<Link>, mut send: Send) {
    if link.closed.get() {
        return send.reply.send(Err(SendError::not_sent("the broker is closed")));
    }
    if let Some(option) = send.batch.iter().find_map(|outgoing| settled::unsupported(&outgoing.options, OPTIONS)) {
        return send.reply.send(Err(SendError::not_sent(format!("the redis broker has no option `{option}`"))));
    }
    let deadline = send.deadline;
    let groups = group(std::mem::take(&mut send.batch));
    if groups.is_empty() {
        return send.reply.send(Ok(()));
    }
    let all = groups.len();
    let part = Part(Rc::new(Sending {
        link: link.clone(),
        send: Cell::new(Some(send)),
        all,
        left: Cell::new(all),
        failed: Cell::new(0),
        first_error: RefCell::default(),
    }));
    for Group { queue, delays, bodies } in groups {
        let part = part.clone();
        match delays {
            None => link.send(Push { part, queue, bodies, deadline, redirections: 0 }),
            Some(delays) => drop(actix_rt::spawn(delay(part, queue, delays, bodies, deadline))),
        }
    }
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

impl Link {
    fn send(&self, push: Push) {
        self.nodes.of(push.queue.as_bytes()).line.push(push);
    }
}

impl Job for Push {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn command(&mut self) -> Command {
        Command::Push { list: Bytes::copy_from_slice(self.queue.as_bytes()), entries: self.bodies.clone() }
    }

    fn end(mut self, outcome: Result<u64, CommandError>) {
        let link = self.part.0.link.clone();
        if let Err(error) = &outcome
            && self.redirections < MOST_REDIRECTIONS
            && link.nodes.moved(link.nodes.of(self.queue.as_bytes()).connection.endpoint(), error)
        {
            self.redirections += 1;
            return link.send(self);
        }
        if let Err(error) = &outcome {
            link.nodes.failed(self.queue.as_bytes(), error);
        }
        self.part.end(&self.queue, self.bodies.len(), outcome.map(drop));
    }
}

async fn delay(part: Part, queue: Arc<str>, delays: Vec<Duration>, bodies: Vec<Bytes>, deadline: Instant) {
    let link = &part.0.link;
    let env = &link.context.env;
    let entries = bodies.iter().map(|body| Entry::new(&env.ids.id(), env.clock.now_ms(), body.clone()).encode());
    let millis = delays.iter().map(|delay| Bytes::from(delay.as_millis().to_string()));
    let args: Vec<_> = millis.zip(entries).flat_map(|(delay, entry)| [delay, entry]).collect();
    let within = deadline.saturating_duration_since(Instant::now());
    let done = link.nodes.run(&link.scripts.delay, &[Keys::of(&queue).delayed], &args, within).await;
    if done.is_ok() {
        delays.iter().for_each(|delay| link.due_at(&queue, crate::clock::after(*delay)));
    }
    part.end(&queue, bodies.len(), done.map(drop));
}

impl Part {
    fn end(&self, queue: &Arc<str>, messages: usize, done: Result<(), CommandError>) {
        let sending = &self.0;
        match done {
            Ok(()) => (0..messages).for_each(|_| sending.link.context.env.told_queued(queue)),
            Err(error) => {
                sending.failed.set(sending.failed.get() + 1);
                sending.first_error.borrow_mut().get_or_insert(error);
            }
        }
        sending.left.set(sending.left.get() - 1);
        if sending.left.get() == 0
            && let Some(Send { reply, permit, .. }) = sending.send.take()
        {
            drop(permit);
            reply.send(sending.outcome());
        }
    }
}

impl Sending {
    /// A batch for several queues is not one step at the server: when only a part went out, the whole is unknown.
    fn outcome(&self) -> Result<(), SendError> {
        let (all, done) = (self.all, self.all - self.failed.get());
        match self.first_error.take() {
            None => Ok(()),
            Some(error) if done == 0 => Err(error.into()),
            Some(error) => Err(SendError::unknown(format!(
                "{done} of {all} parts of the batch were sent; the first error: {error}"
            ))),
        }
    }
}
