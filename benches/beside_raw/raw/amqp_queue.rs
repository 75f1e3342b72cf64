//! A queue on RabbitMQ: publishing with confirms, and consuming with acknowledgements of one or of many.

use std::cell::Cell;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};

use crate::counter::Counter;
use crate::ours::job;
use crate::{Outcome, queues};

pub const QUEUE: &str = "raw-jobs";

/// So many are not yet acknowledged at most: the same as the concurrency of our consumer.
const PREFETCH: u16 = 256;

/// How the loop acknowledges.
#[derive(Clone, Copy)]
pub enum Acks {
    Each,
    Every(usize),
}

/// What the raw side asks of the server when it sends.
#[derive(Clone, Copy)]
pub enum Sends {
    /// What we ask: an id with each message, and each message back that no queue takes.
    Alike,
    /// Nothing but the message. One that no queue takes is confirmed and lost.
    Bare,
}

pub struct RawQueue {
    connection: Connection,
    /// With confirms.
    publish: Channel,
    pub counter: Counter,
}

pub async fn connect(url: &str) -> Outcome<Connection> {
    Ok(Connection::connect(url, ConnectionProperties::default()).await?)
}

impl RawQueue {
    pub async fn start(url: &str) -> Outcome<Self> {
        let connection = connect(url).await?;
        let publish = connection.create_channel().await?;
        publish.confirm_select(ConfirmSelectOptions::default()).await?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        publish.queue_declare(QUEUE.into(), durable, FieldTable::default()).await?;
        Ok(Self { connection, publish, counter: Counter::default() })
    }

    pub async fn stop(self) -> Outcome {
        Ok(self.connection.close(200, "done".into()).await?)
    }

    pub async fn purge(&self, queue: &str) -> Outcome {
        self.publish.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
        Ok(())
    }

    /// A way to send with.
    pub fn sender(&self, queue: &'static str, sends: Sends) -> impl AsyncFn() -> Outcome + 'static {
        let channel = self.publish.clone();
        let ids = Cell::new(0u64);
        async move || {
            let body = serde_json::to_vec(&job())?;
            let (mandatory, properties) = match sends {
                Sends::Alike => {
                    let id = ids.replace(ids.get() + 1);
                    (true, persistent().with_message_id(format!("{id:032x}").into()))
                }
                Sends::Bare => (false, persistent()),
            };
            let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
            let confirm = channel.basic_publish("".into(), queue.into(), options, &body, properties).await?;
            match confirm.await? {
                Confirmation::Ack(None) => Ok(()),
                _ => Err("the server refuses a message".into()),
            }
        }
    }

    /// Consumes so many, from the moment when it begins to consume until the server has the acknowledgements.
    pub async fn consume(&self, count: usize, acks: Acks) -> Outcome {
        let channel = self.connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let mut consumer = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
        for number in 1..=count {
            let delivery = consumer.next().await.ok_or("the consumer has ended")??;
            let job: queues::Jobs = serde_json::from_slice(&delivery.data)?;
            std::hint::black_box(job);
            self.counter.one();
            match acks {
                Acks::Each => _ = delivery.acker.ack(BasicAckOptions::default()).await?,
                Acks::Every(many) if number % many == 0 || number == count => {
                    _ = delivery.acker.ack(BasicAckOptions { multiple: true }).await?;
                }
                Acks::Every(_) => {}
            }
        }
        // What is answered behind them says that they have arrived.
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        Ok(channel.close(200, "done".into()).await?)
    }
}

pub fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}
