//! Takes what arrives from the driver, and acknowledges it, many with one frame.

use std::pin::{Pin, pin};
use std::rc::Weak;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::DeliveryTag;
use lapin::{Channel, Consumer};
use tokio::time::{Instant, sleep};

use crate::amqp::{CommandError, ConnectError, Link};

/// Who gets what arrives.
pub(super) type Take = Box<dyn FnMut(Delivery)>;

/// When deliveries are acknowledged. Nobody depends on it but the server, which hands over no more than the prefetch.
#[derive(Clone, Copy)]
pub(super) enum Acks {
    /// As soon as so many are there, and the rest within a second.
    Together(u16),
    /// Only each second.
    Slowly,
}

/// The server takes a consumer for dead that has not acknowledged for half an hour.
const REST: Duration = Duration::from_secs(1);

/// Others get a turn after so many in a row.
const IN_A_ROW: u16 = 256;

type Ack = Pin<Box<dyn Future<Output = ()>>>;

/// Takes until the consumer ends, and gives the connection up then: its end means that our queue or our channel is gone.
pub(super) async fn run(mut consumer: Consumer, channel: Channel, link: Weak<Link>, acks: Acks, mut take: Take) {
    let mut held = Held { channel, last: 0, count: 0 };
    let mut rest = pin!(sleep(REST));
    let mut ack: Option<Ack> = None;
    let mut in_a_row = 0;
    let reason = loop {
        // A turn of the loop below costs more than a message that is there already.
        let next = match consumer.next().now_or_never() {
            Some(next) => next,
            None => {
                in_a_row = 0;
                tokio::select! {
                    biased;
                    next = consumer.next() => next,
                    () = written(&mut ack) => { ack = None; continue }
                    () = &mut rest, if held.count > 0 => { ack = Some(held.acknowledge()); continue }
                }
            }
        };
        match next {
            Some(Ok(delivery)) => {
                // One timer a second, not one for each message.
                if held.count == 0 && rest.is_elapsed() {
                    rest.as_mut().reset(Instant::now() + REST);
                }
                held.took(delivery.delivery_tag);
                take(delivery);
            }
            Some(Err(error)) => break CommandError::from(error).to_string(),
            None => break "the server has ended the consumer: its queue is gone".to_owned(),
        }
        if let Acks::Together(count) = acks
            && held.count >= count
        {
            // The driver takes it at the first poll. One before it that is still under way is dropped: this says it, too.
            let mut next = held.acknowledge();
            if (&mut next).now_or_never().is_none() {
                ack = Some(next);
            }
        }
        in_a_row += 1;
        if in_a_row >= IN_A_ROW {
            in_a_row = 0;
            if let Some(link) = link.upgrade() {
                link.saw_activity();
            }
            tokio::task::yield_now().await;
        }
    };
    if let Some(link) = link.upgrade() {
        link.give_up(ConnectError::Lost(reason));
    }
}

/// What is not yet acknowledged.
struct Held {
    channel: Channel,
    last: DeliveryTag,
    count: u16,
}

impl Held {
    fn took(&mut self, tag: DeliveryTag) {
        self.last = tag;
        self.count = self.count.saturating_add(1);
    }

    /// Acknowledges all of it. An error means that the channel is gone, and the consumer tells that too.
    fn acknowledge(&mut self) -> Ack {
        let (channel, last) = (self.channel.clone(), self.last);
        self.count = 0;
        Box::pin(async move { drop(channel.basic_ack(last, BasicAckOptions { multiple: true }).await) })
    }
}

async fn written(ack: &mut Option<Ack>) {
    match ack {
        Some(ack) => ack.await,
        None => std::future::pending().await,
    }
}
