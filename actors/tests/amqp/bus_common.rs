//! What the tests share: an environment, inlets that keep what they get, and another program on the same server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::Env;
use formicary_actors::bus::Bus;
use formicary_actors::contract::{Arriving, ConnectionState, SignalInlet};
use formicary_protocol::{Declarations, Field, Prefix, Signal};
use formicary_test_support::wait;
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use serde::{Deserialize, Serialize};

pub const S: Duration = Duration::from_secs(1);

const DECLARATIONS: &str = r#"{
    "signals": [{"name": "ping", "providing_args": ["n"]}, {"name": "other", "providing_args": []}]
}"#;

#[derive(Debug, Serialize, Deserialize)]
pub struct Ping {
    pub n: u64,
}

impl Signal for Ping {
    const NAME: &'static str = "ping";
    type Answer = u64;

    fn fields() -> Vec<Field> {
        vec![Field::of::<u64>("n")]
    }
}

pub fn env() -> Env {
    Env::new(Prefix::default(), Arc::new(declarations()))
}

pub fn declarations() -> Declarations {
    Declarations::parse(DECLARATIONS, "test").unwrap()
}

pub fn bus(url: &str) -> Bus {
    bus_in(env(), url)
}

pub fn bus_in(env: Env, url: &str) -> Bus {
    formicary_actors::bus::amqp::start(&url.parse().unwrap(), env).unwrap()
}

pub async fn up(bus: &Bus) {
    wait::until(10 * S, "the connection", async || bus.connection() == ConnectionState::Up).await;
}

pub async fn down(bus: &Bus, within: Duration) {
    let is_down = async || matches!(bus.connection(), ConnectionState::Down { .. });
    wait::until(within, "the loss of the connection", is_down).await;
}

/// Keeps the signals that it is offered.
#[derive(Default)]
pub struct Inbox(Mutex<Vec<Arriving>>);

impl SignalInlet for Inbox {
    fn offer(&self, signal: Arriving) {
        self.0.lock().unwrap().push(signal);
    }
}

impl Inbox {
    pub fn all(&self) -> Vec<Arriving> {
        self.0.lock().unwrap().clone()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn bodies(&self) -> Vec<String> {
        self.all().iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect()
    }

    pub async fn until(&self, count: usize) -> Vec<Arriving> {
        wait::until(10 * S, format!("{count} signals"), async || self.len() >= count).await;
        self.all()
    }
}

/// Another program, which knows of the bus only what its documentation says.
pub struct Program {
    pub channel: Channel,
    queue: String,
    consumer: Consumer,
    _connection: Connection,
}

impl Program {
    pub async fn connect(url: &str) -> Self {
        let runtime = lapin::runtime::default_runtime().unwrap();
        let connection = Connection::connect_with_runtime(url, ConnectionProperties::default(), runtime).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), own, FieldTable::default()).await.unwrap().name().to_string();
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let name = queue.as_str().into();
        let consumer = channel.basic_consume(name, "".into(), options, FieldTable::default()).await.unwrap();
        Self { channel, queue, consumer, _connection: connection }
    }

    /// Hears what goes to the exchange under such keys.
    pub async fn bind(&self, key: &str) {
        let (queue, none) = (self.queue.as_str().into(), FieldTable::default());
        self.channel.queue_bind(queue, "PUBSUB".into(), key.into(), QueueBindOptions::default(), none).await.unwrap();
    }

    pub async fn next(&mut self) -> Delivery {
        tokio::time::timeout(5 * S, self.consumer.next()).await.expect("a message within 5 s").unwrap().unwrap()
    }

    pub async fn signal(&self, key: &str, body: &[u8]) {
        self.publish("PUBSUB", key, body, BasicProperties::default()).await;
    }

    /// Calls; the answer comes to [`next`](Self::next).
    pub async fn call(&self, key: &str, id: &str, body: &[u8]) {
        let properties =
            BasicProperties::default().with_correlation_id(id.into()).with_reply_to(self.queue.as_str().into());
        self.publish("PUBSUB", key, body, properties).await;
    }

    /// Answers a call that [`next`](Self::next) has brought.
    pub async fn answer(&self, call: &Delivery, body: &[u8]) {
        let id = call.properties.correlation_id().clone().unwrap();
        let properties = BasicProperties::default().with_correlation_id(id);
        self.publish("", call.properties.reply_to().as_ref().unwrap().as_str(), body, properties).await;
    }

    pub async fn publish(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        assert!(sent.unwrap().await.unwrap().is_ack());
    }
}
