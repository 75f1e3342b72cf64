//! What the tests share: an environment, an inlet that keeps what it gets, and shorthands.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::broker::Broker;
use formicary_actors::contract::{ConnectionState, ConsumerId, Counts, Delivered, DeliveryInlet, Outcome, Settlement};
use formicary_actors::{AmqpConfig, Env};
use formicary_protocol::{Bytes, Declarations, Field, Prefix, Queue, Value};
use formicary_test_support::wait;
use serde_json::json;

pub const S: Duration = Duration::from_secs(1);

const DECLARATIONS: &str = r##"{
    "signals": [],
    "queues": [
        {"name": "mailer"}, {"name": "second"},
        {"name": "fan_a", "exchange": "events"}, {"name": "fan_b", "exchange": "events"},
        {"name": "birds", "exchange": "zoo", "topics": ["bird.*"]}, {"name": "all", "exchange": "zoo", "topics": ["#"]}
    ]
}"##;

macro_rules! queues {
    ($($queue:ident $name:literal),+) => { $(
        pub struct $queue;

        impl Queue for $queue {
            const NAME: &'static str = $name;
            type Message = Value;

            fn fields() -> Option<Vec<Field>> {
                None
            }
        }
    )+ };
}

queues!(Mailer "mailer", Second "second", FanA "fan_a", Birds "birds");

pub fn env() -> Env {
    Env::new(Prefix::default(), Arc::new(Declarations::parse(DECLARATIONS, "test").unwrap()))
}

pub fn broker(url: &str) -> Broker {
    broker_of(url.parse().unwrap())
}

pub fn broker_of(config: AmqpConfig) -> Broker {
    formicary_actors::broker::amqp::start(&config, env()).unwrap()
}

pub async fn up(broker: &Broker) {
    wait::until(10 * S, "the connection", async || broker.connection() == ConnectionState::Up).await;
}

pub async fn down(broker: &Broker, within: Duration) {
    let is_down = async || matches!(broker.connection(), ConnectionState::Down { .. });
    wait::until(within, "the loss of the connection", is_down).await;
}

pub async fn consume(broker: &Broker, queue: &str, credit: usize) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    let credit = NonZeroUsize::new(credit).unwrap();
    let id = broker.consume(queue, credit, "Agent.deliver", tray.clone()).await.unwrap();
    (id, tray)
}

pub async fn send(broker: &Broker, numbers: impl IntoIterator<Item = u32>) {
    for n in numbers {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
}

/// Waiting, in flight, delayed and dead.
pub async fn counts(broker: &Broker, what: &str, wanted: (u64, u64, u64, u64)) {
    let told = |counts: Counts| (counts.waiting, counts.in_flight, counts.delayed, counts.dead);
    let mut last = None;
    wait::until(5 * S, what, async || {
        let now = told(broker.inspect("mailer").await.unwrap());
        if last != Some(now) {
            eprintln!("{what}: {now:?}, wanted {wanted:?}");
        }
        last = Some(now);
        now == wanted
    })
    .await;
}

/// Keeps the messages that it is given.
#[derive(Default)]
pub struct Tray(Mutex<Vec<Delivered>>);

impl DeliveryInlet for Tray {
    fn deliver(&self, delivery: Delivered) {
        self.0.lock().unwrap().push(delivery);
    }
}

impl Tray {
    pub fn all(&self) -> Vec<Delivered> {
        self.0.lock().unwrap().clone()
    }

    pub fn bodies(&self) -> Vec<Bytes> {
        self.all().into_iter().map(|one| one.body).collect()
    }

    pub async fn until(&self, count: usize) -> Vec<Delivered> {
        let what = format!("{count} messages");
        wait::until(8 * S, what, async || self.0.lock().unwrap().len() >= count).await;
        self.all()
    }
}

pub fn settle(one: &Delivered, outcome: Outcome) -> Settlement {
    Settlement::new(one.token, outcome)
}

pub fn texts(numbers: impl IntoIterator<Item = u32>) -> Vec<Bytes> {
    numbers.into_iter().map(|n| Bytes::from(n.to_string())).collect()
}
