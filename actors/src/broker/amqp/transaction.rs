//! Acknowledgements that go in one step with what is sent in return.
//!
//! The consumer's channel is a transaction: what is published and acknowledged on it counts from the commit on, and not at
//! all when the channel ends before it.

use std::rc::Rc;

use futures_util::future::try_join_all;
use lapin::Channel;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;

use super::acks::{self, Settled};
use super::connection::Link;
use super::consumer::Consumer;
use super::line::{Done, Job};
use super::properties;
use super::send::{self, Prepared};
use super::topology::{Address, To};
use crate::amqp::{self, CommandError};

/// Takes all that is ready, and returns what has to run for it to be done.
pub(super) fn commit(
    link: &Rc<Link>,
    consumer: &Rc<Consumer>,
    amqp: &Rc<amqp::Link>,
    channel: &Channel,
) -> (impl Future<Output = Result<(), CommandError>> + use<>, Vec<Settled>) {
    // The driver writes acknowledgements before messages, and both before the commit, if that is asked for last.
    let mut settled = acks::flush(consumer, channel);
    let outboxes = settled.iter_mut().flat_map(|one| std::mem::take(&mut one.outbox));
    // Whether they can travel was looked at when they were accepted.
    let outbox: Vec<_> = outboxes.filter_map(|one| send::prepare(link, one).ok()).collect();
    let (link, amqp, channel) = (link.clone(), amqp.clone(), channel.clone());
    let run = async move {
        let mut writes = Vec::with_capacity(outbox.len());
        for Prepared { to, properties, body } in &outbox {
            let address = address(&link, to).await?;
            let properties = match to.delay_ms {
                0 => properties.clone(),
                delay_ms => properties::delayed(properties.clone(), delay_ms),
            };
            writes.push((address, properties, body));
        }
        let mut sent: Vec<_> = writes.iter().zip(&outbox).map(|((address, ..), one)| (address.clone(), one)).collect();
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let writes = writes.into_iter().map(|(Address { exchange, key }, properties, body)| {
            channel.basic_publish(exchange, key, options, body, properties)
        });
        // Written one after the other: the commit must not overtake them.
        try_join_all(writes).await?;
        amqp.answered(channel.tx_commit()).await?;
        outbox.iter().for_each(|one| link.context.env.told_queued(&one.to.queue));
        // On a channel without confirms there is nothing to wait for: these are what was given back.
        for message in channel.wait_for_confirms().await? {
            send_again(&link, &mut sent, &message);
        }
        Ok(())
    };
    (run, settled)
}

async fn address(link: &Link, to: &To) -> Result<Address, CommandError> {
    loop {
        if let Some(address) = link.topology.address(to) {
            return Ok(address);
        }
        link.topology.declare(to, crate::clock::after(link.context.env.limits.send_deadline)).await?;
    }
}

/// Its queue was deleted under us, and the acknowledgement is done: it is declared anew and the message sent by itself.
fn send_again(link: &Link, sent: &mut Vec<(Address, &Prepared)>, message: &BasicReturnMessage) {
    // Two messages may have one id, in two queues.
    let is_it = |(address, one): &(Address, &Prepared)| {
        one.properties.message_id() == message.properties.message_id()
            && address.exchange == message.exchange
            && address.key == message.routing_key
    };
    let Some(at) = sent.iter().position(is_it) else { return };
    let (_, Prepared { to, properties, body }) = sent.swap_remove(at);
    link.topology.forget();
    tracing::warn!(queue = %to.queue, "a message of an outbox found no queue: it is sent again by itself");
    let (to, properties, body) = (to.clone(), properties.clone(), body.clone());
    link.line.push(Job { to, properties, body, deadline: None, done: Done::Kept });
}
