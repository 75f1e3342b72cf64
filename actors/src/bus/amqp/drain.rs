//! Takes what arrives from the driver.

use std::pin::pin;
use std::rc::Rc;
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

/// How deliveries are acknowledged. Nobody depends on it: what is lost on its way is lost, as with any signal.
#[derive(Clone, Copy)]
pub(super) enum Acks {
    /// By nobody, and the server keeps no book of them. The gate of the connection bounds what waits here.
    Never,
    /// A second after they came, so that the server hands over one a second.
    Slowly,
}

/// Between two acknowledgements.
const REST: Duration = Duration::from_secs(1);

/// Others get a turn after so many in a row.
const IN_A_ROW: u16 = 256;

/// Takes until the consumer ends, and gives the connection up then: its end means that our queue or our channel is gone.
pub(super) fn run(
    mut consumer: Consumer,
    channel: Channel,
    link: &Rc<Link>,
    acks: Acks,
    mut take: Take,
) -> impl Future<Output = ()> + use<> {
    let (gate, link) = (link.gate(), Rc::downgrade(link));
    async move {
        let mut last: Option<DeliveryTag> = None;
        let mut rest = pin!(sleep(REST));
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
                        () = &mut rest, if last.is_some() => {
                            // An error means that the channel is gone, and the consumer tells that too.
                            let tag = last.take().unwrap_or_default();
                            channel.basic_ack(tag, BasicAckOptions { multiple: true }).await.ok();
                            continue;
                        }
                    }
                }
            };
            match next {
                Some(Ok(delivery)) => {
                    gate.took();
                    if matches!(acks, Acks::Slowly) {
                        if last.is_none() {
                            rest.as_mut().reset(Instant::now() + REST);
                        }
                        last = Some(delivery.delivery_tag);
                    }
                    take(delivery);
                }
                Some(Err(error)) => break CommandError::from(error).to_string(),
                None => break "the server has ended the consumer: its queue is gone".to_owned(),
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
}
