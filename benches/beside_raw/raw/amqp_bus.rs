//! Signals and calls over RabbitMQ: a topic exchange, a queue for what is heard and one for answers, on one connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use tokio::sync::oneshot;

use super::amqp_queue::connect;
use super::{decode_answer, encode_answer};
use crate::counter::Counter;
use crate::ours::{ask, tick};
use crate::{Outcome, signals};

const EXCHANGE: &str = "RAWS";

#[derive(Clone)]
pub struct RawBus(Rc<Parts>);

struct Parts {
    connection: Connection,
    /// With confirms.
    publish: Channel,
    answers: ShortString,
    counter: Counter,
    waiting: RefCell<HashMap<ShortString, oneshot::Sender<Vec<u8>>>>,
    ids: Cell<u64>,
}

impl RawBus {
    pub async fn start(url: &str) -> Outcome<Self> {
        let connection = connect(url).await?;
        let publish = connection.create_channel().await?;
        publish.confirm_select(ConfirmSelectOptions::default()).await?;
        let (none, exchange) = (FieldTable::default, ExchangeDeclareOptions::default());
        publish.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, exchange, none()).await?;
        let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let heard = publish.queue_declare("".into(), exclusive, none()).await?.name().clone();
        let answers = publish.queue_declare("".into(), exclusive, none()).await?.name().clone();
        for key in ["tick.*", "ask.*"] {
            publish.queue_bind(heard.clone(), EXCHANGE.into(), key.into(), QueueBindOptions::default(), none()).await?;
        }
        let bus = Self(Rc::new(Parts {
            connection,
            publish,
            answers: answers.clone(),
            counter: Counter::default(),
            waiting: RefCell::default(),
            ids: Cell::default(),
        }));
        for queue in [heard, answers] {
            let channel = bus.0.connection.create_channel().await?;
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let mut consumer = channel.basic_consume(queue, "".into(), options, none()).await?;
            let receiver = bus.clone();
            actix_rt::spawn(async move {
                while let Some(Ok(delivery)) = consumer.next().await {
                    receiver.received(delivery);
                }
            });
        }
        Ok(bus)
    }

    pub async fn stop(&self) -> Outcome {
        Ok(self.0.connection.close(200, "done".into()).await?)
    }

    pub fn counter(&self) -> &Counter {
        &self.0.counter
    }

    fn received(&self, delivery: Delivery) {
        let properties = delivery.properties;
        match (properties.correlation_id(), properties.reply_to()) {
            (None, _) => {
                if let Ok(tick) = serde_json::from_slice::<signals::Tick>(&delivery.data) {
                    std::hint::black_box(tick);
                    self.0.counter.one();
                }
            }
            (Some(id), None) => {
                if let Some(caller) = self.0.waiting.borrow_mut().remove(id) {
                    drop(caller.send(delivery.data));
                }
            }
            (Some(id), Some(to)) => {
                if let Ok(ask) = serde_json::from_slice::<signals::Ask>(&delivery.data) {
                    self.answer(to.clone(), id.clone(), ask.user_id + 1);
                }
            }
        }
    }

    fn answer(&self, to: ShortString, id: ShortString, value: u64) {
        let Ok(body) = encode_answer(value) else { return };
        let bus = self.clone();
        actix_rt::spawn(async move {
            let properties = BasicProperties::default().with_correlation_id(id);
            // A caller that has ended gets no answer.
            bus.send("", to, &body, properties).await.map_err(|error| error.to_string())
        });
    }

    pub async fn publish(&self) -> Outcome {
        let body = serde_json::to_vec(&tick())?;
        self.send(EXCHANGE, "tick.sends".into(), &body, BasicProperties::default()).await
    }

    async fn send(&self, exchange: &str, key: ShortString, body: &[u8], properties: BasicProperties) -> Outcome {
        let options = BasicPublishOptions::default();
        let confirm = self.0.publish.basic_publish(exchange.into(), key, options, body, properties).await?;
        if confirm.await?.is_ack() { Ok(()) } else { Err("the server refuses a message".into()) }
    }

    pub async fn call(&self) -> Outcome<u64> {
        let body = serde_json::to_vec(&ask())?;
        let id = ShortString::from(format!("{:032x}", self.0.ids.replace(self.0.ids.get() + 1)));
        let (sender, answered) = oneshot::channel();
        self.0.waiting.borrow_mut().insert(id.clone(), sender);
        let properties = BasicProperties::default().with_correlation_id(id).with_reply_to(self.0.answers.clone());
        self.send(EXCHANGE, "ask.sends".into(), &body, properties).await?;
        decode_answer(&answered.await?)
    }
}
