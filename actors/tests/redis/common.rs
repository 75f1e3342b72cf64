//! What the tests share: an environment, inlets that keep what they get, and raw questions to the server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::broker::Broker;
use formicary_actors::bus::Bus;
use formicary_actors::contract::{
    Arriving, ConnectionState, Delivered, DeliveryInlet, Outcome, Settlement, SignalInlet, Token,
};
use formicary_actors::{Env, RedisConfig};
use formicary_protocol::{Bytes, Declarations, Field, Prefix, Queue, Signal, Value};
use formicary_test_support::redis::Server;
use formicary_test_support::wait;
use serde::{Deserialize, Serialize};

pub const S: Duration = Duration::from_secs(1);

const DECLARATIONS: &str = r#"{
    "signals": [{"name": "ping", "providing_args": ["n"]}, {"name": "other", "providing_args": []}],
    "queues": [{"name": "mailer"}, {"name": "second"}]
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

pub struct Mailer;

impl Queue for Mailer {
    const NAME: &'static str = "mailer";
    type Message = Value;

    fn fields() -> Option<Vec<Field>> {
        None
    }
}

pub fn env() -> Env {
    Env::new(Prefix::default(), Arc::new(Declarations::parse(DECLARATIONS, "test").unwrap()))
}

pub fn bus(url: &str) -> Bus {
    formicary_actors::bus::redis::start(&url.parse().unwrap(), env()).unwrap()
}

pub fn broker(url: &str) -> Broker {
    formicary_actors::broker::redis::start(&url.parse().unwrap(), env()).unwrap()
}

pub fn broker_of(config: RedisConfig) -> Broker {
    formicary_actors::broker::redis::start(&config, env()).unwrap()
}

pub async fn up(state: impl Fn() -> ConnectionState) {
    wait::until(10 * S, "the connection", async || state() == ConnectionState::Up).await;
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

    pub async fn until(&self, count: usize) -> Vec<Arriving> {
        wait::until(5 * S, format!("{count} signals"), async || self.len() >= count).await;
        self.all()
    }
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

pub fn settle(token: Token, outcome: Outcome) -> Settlement {
    Settlement::new(token, outcome)
}

/// An integer that the server answers.
pub async fn ask(server: &Server, command: &[&str]) -> i64 {
    server.command(command).await.unwrap().integer().unwrap()
}

/// All that lies in places of consumers.
pub async fn taken(server: &Server, queue: &str) -> i64 {
    let keys = server.command(&["KEYS", &format!("{queue}:taken:*")]).await.unwrap();
    let mut count = 0;
    for key in keys.array() {
        count += ask(server, &["HLEN", &key.text().unwrap()]).await;
    }
    count
}
