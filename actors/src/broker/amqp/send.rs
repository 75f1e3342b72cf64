use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::connection::Link;
use super::line::{Done, Job};
use super::names::{self, short};
use super::properties;
use super::topology::To;
use crate::amqp::CommandError;
use crate::contract::{Outgoing, Send};
use crate::error::SendError;

/// One message of a batch, which is told to the sender when the last one has ended.
#[derive(Clone)]
pub(super) struct Part(Rc<Sending>);

struct Sending {
    send: Cell<Option<Send>>,
    all: usize,
    left: Cell<usize>,
    failed: Cell<usize>,
    /// The first one, unless a later one leaves more open.
    error: RefCell<Option<CommandError>>,
}

/// Puts a batch into the line. If one of its messages cannot travel, nothing is sent.
pub(super) fn send(link: &Link, mut send: Send) {
    if link.closed.get() {
        return send.reply.send(Err(SendError::not_sent("the broker is closed")));
    }
    let deadline = send.deadline;
    let batch = std::mem::take(&mut send.batch);
    let prepared: Result<Vec<_>, String> = batch.into_iter().map(|one| prepare(link, one)).collect();
    let prepared = match prepared {
        Ok(prepared) if prepared.is_empty() => return send.reply.send(Ok(())),
        Ok(prepared) => prepared,
        Err(why) => return send.reply.send(Err(SendError::not_sent(why))),
    };
    let all = prepared.len();
    let part = Part(Rc::new(Sending {
        send: Cell::new(Some(send)),
        all,
        left: Cell::new(all),
        failed: Cell::new(0),
        error: RefCell::default(),
    }));
    for Prepared { to, properties, body } in prepared {
        link.line.push(Job { to, properties, body, deadline: Some(deadline), done: Done::Part(part.clone()) });
    }
}

/// A message with its place and its properties.
pub(super) struct Prepared {
    pub(super) to: To,
    pub(super) properties: lapin::BasicProperties,
    pub(super) body: formicary_protocol::Bytes,
}

/// Makes of a sender's message what is published, or says which of its options cannot travel.
pub(super) fn prepare(link: &Link, outgoing: Outgoing) -> Result<Prepared, String> {
    let Outgoing { queue, body, mut options } = outgoing;
    let env = &link.context.env;
    let topic = match options.topic.take() {
        Some(_) if env.declarations.queue(&queue).is_none_or(|queue| queue.exchange.is_none()) => {
            return Err(format!("it has a topic, and the queue `{queue}` is declared without an exchange"));
        }
        Some(topic) => Some(short(&topic).ok_or("its topic is longer than the 255 bytes that the protocol allows")?),
        None => None,
    };
    let delay = options.delay.take().unwrap_or_default();
    if delay > names::MOST_DELAY {
        return Err(format!(
            "its delay is longer than the {} days that the server allows",
            names::MOST_DELAY.as_secs() / 86_400
        ));
    }
    let properties = properties::of_sender(env, options, link.topology.is_persistent())?;
    Ok(Prepared { to: To::declared(queue, topic, names::millis(delay)), properties, body })
}

impl Part {
    pub(super) fn end(&self, done: Result<(), CommandError>) {
        let sending = &self.0;
        if let Err(error) = done {
            sending.failed.set(sending.failed.get() + 1);
            let mut kept = sending.error.borrow_mut();
            if matches!(error, CommandError::Unknown(_)) || kept.is_none() {
                *kept = Some(error);
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
    /// A batch is not one step at the server: when only a part of it went out, the whole is unknown.
    fn outcome(&self) -> Result<(), SendError> {
        let (all, done) = (self.all, self.all - self.failed.get());
        match self.error.take() {
            None => Ok(()),
            Some(error) if done == 0 => Err(error.into()),
            Some(error) => {
                Err(SendError::unknown(format!("{done} of {all} messages of the batch were sent; an error: {error}")))
            }
        }
    }
}
