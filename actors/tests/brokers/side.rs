//! Where a story is told, and by whom.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::Env;
use formicary_actors::broker::{Broker, Intake, MemoryBroker};
use formicary_actors::contract::{
    Capabilities, ConsumerId, Counts, Delivered, DeliveryInlet, Outcome, SettleError, Settlement,
};
use formicary_actors::events::EventKind;
use formicary_protocol::{Declarations, Failure, Prefix};
use formicary_test_support::redis::Server;
use formicary_test_support::wait::until;
use serde_json::json;

pub const SOON: Duration = Duration::from_secs(10);

/// The memory of one side: a broker in memory, with a paused clock, or a Redis.
pub enum Side {
    Memory(MemoryBroker),
    Redis(Server),
}

/// What a story says. Ids and times are left out.
pub type Told = Vec<String>;

/// Makes a test out of each story: told on both sides, and compared. One that needs a capability is told only by the sides
/// that have it.
macro_rules! stories {
    ($($name:ident $(needs $capability:ident)?,)+) => {
        mod compared {
            $(
                #[actix::test]
                async fn $name() {
                    #[allow(unused_mut, unused_assignments, reason = "most stories need nothing")]
                    let mut needs: crate::side::Needed = |_| true;
                    $(needs = |can| can.$capability;)?
                    let name = concat!(module_path!(), "::", stringify!($name));
                    crate::side::compare(name, needs, super::$name).await;
                }
            )+
        }
    };
}

pub(crate) use stories;

pub type Needed = fn(&Capabilities) -> bool;

pub async fn compare(name: &str, needs: Needed, story: impl AsyncFn(&Side) -> Told) {
    let mut on_redis = None;
    if formicary_test_support::require_redis(name) {
        let side = Side::Redis(Server::start().await);
        if needs(&side.broker().describe().await.unwrap().capabilities) {
            on_redis = Some(story(&side).await);
        } else {
            eprintln!("{name}: left out on Redis, whose adapter does not say that it can");
        }
    }
    // Redis first: its time passes as it does.
    tokio::time::pause();
    let side = Side::Memory(MemoryBroker::with_capacity(NonZeroUsize::new(64).unwrap()));
    assert!(needs(&side.broker().describe().await.unwrap().capabilities));
    let in_memory = story(&side).await;
    held_against(name, &in_memory);
    if let Some(on_redis) = on_redis {
        assert_eq!(in_memory.join("\n"), on_redis.join("\n"), "in memory, and on Redis");
    }
}

/// Two adapters may err alike: so what they say is written down, one file a story. `TELL_ANEW=1` writes it.
fn held_against(name: &str, told: &Told) {
    let story = name.rsplit("::").next().unwrap();
    let file = format!("{}/tests/brokers/told/{story}.txt", env!("CARGO_MANIFEST_DIR"));
    let told = told.join("\n") + "\n";
    if std::env::var_os("TELL_ANEW").is_some() {
        std::fs::write(&file, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&file).unwrap(), "in memory, and in {file}");
}

impl Side {
    /// A process of its own, as far as the broker knows.
    pub fn broker(&self) -> Broker {
        let declarations = r#"{"queues": [{"name": "mailer"}, {"name": "second"}]}"#;
        let env = Env::new(Prefix::default(), Arc::new(Declarations::parse(declarations, "test").unwrap()));
        match self {
            Self::Memory(broker) => broker.start(env),
            Self::Redis(server) => formicary_actors::broker::redis::start(&server.url().parse().unwrap(), env).unwrap(),
        }
    }

    /// What another program might put in.
    pub async fn push_raw(&self, queue: &str, body: &[u8]) {
        match self {
            Self::Memory(broker) => broker.push_raw(queue, body),
            Self::Redis(server) => drop(server.command(&[b"RPUSH", queue.as_bytes(), body]).await.unwrap()),
        }
    }
}

/// A consumer that keeps what it gets.
pub struct Taker {
    broker: Broker,
    id: ConsumerId,
    tray: Arc<Tray>,
}

#[derive(Default)]
struct Tray(Mutex<Vec<Delivered>>);

impl DeliveryInlet for Tray {
    fn deliver(&self, delivery: Delivered) {
        self.0.lock().unwrap().push(delivery);
    }
}

impl Taker {
    pub async fn of(broker: &Broker, queue: &str, credit: usize) -> Self {
        Self::with(broker, queue, credit, |intake| intake).await
    }

    pub async fn with(broker: &Broker, queue: &str, credit: usize, ask: impl FnOnce(Intake) -> Intake) -> Self {
        let tray = Arc::new(Tray::default());
        let intake = Intake::new(queue, NonZeroUsize::new(credit).unwrap(), "agent.handler", tray.clone());
        let id = broker.consume_with(ask(intake)).await.unwrap();
        Self { broker: broker.clone(), id, tray }
    }

    /// The next so many, in the order in which they came.
    pub async fn next(&self, count: usize) -> Vec<Delivered> {
        let held = || self.tray.0.lock().unwrap().len();
        until(SOON, format!("{count} messages"), async || held() >= count).await;
        self.tray.0.lock().unwrap().drain(..count).collect()
    }

    pub async fn one(&self) -> Delivered {
        self.next(1).await.remove(0)
    }

    pub async fn settle(&self, batch: impl Into<formicary_actors::contract::Settlements>) -> Result<(), SettleError> {
        self.broker.settled(self.id, batch).await
    }

    pub async fn ack(&self, delivered: &Delivered) {
        self.settle(Settlement::new(delivered.token, Outcome::Ack)).await.unwrap();
    }

    pub async fn seen(&self, keys: &[&str]) -> Vec<bool> {
        self.broker.were_seen(self.id, keys.iter().map(|key| Arc::from(*key)).collect()).await.unwrap()
    }

    pub async fn cancel(&self) {
        self.broker.cancel(self.id).await;
    }

    pub fn is_empty(&self) -> bool {
        self.tray.0.lock().unwrap().is_empty()
    }
}

/// A delivery in words.
pub fn say(delivered: &Delivered) -> String {
    let history: Vec<_> = delivered.history.iter().map(|failure| &*failure.error).collect();
    format!("{:?} attempt {} after {history:?}", delivered.body, delivered.attempt)
}

pub fn failure(error: &str) -> Option<Failure> {
    Some(Failure::new(7, "agent", "handler", error))
}

/// Puts numbers into a queue.
pub async fn send(broker: &Broker, queue: &str, numbers: std::ops::Range<u32>) {
    for n in numbers {
        broker.dynamic(queue, &json!(n)).await.unwrap();
    }
}

/// What a queue holds, in words.
pub async fn counts(broker: &Broker, queue: &str) -> String {
    let Counts { waiting, in_flight, delayed, dead, .. } = broker.inspect(queue).await.unwrap();
    format!("{queue}: {waiting} wait, {in_flight} in flight, {delayed} delayed, {dead} dead")
}

/// How often each thing happened that happened.
pub fn happened(broker: &Broker) -> String {
    let kinds = [
        EventKind::Queued,
        EventKind::Consumed,
        EventKind::Retried,
        EventKind::DeadLettered,
        EventKind::Returned,
        EventKind::Deduplicated,
        EventKind::LateSettlement,
    ];
    let events = &broker.env().events;
    kinds.map(|kind| format!("{} {}", kind.word(), events.count(kind))).join(", ")
}

/// How a settlement ended, without its tokens.
pub fn ended(ended: Result<(), SettleError>) -> String {
    match ended {
        Ok(()) => "applied".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Where nothing is expected.
pub struct Nowhere;

impl DeliveryInlet for Nowhere {
    fn deliver(&self, delivery: Delivered) {
        panic!("nobody asked for {}", say(&delivery));
    }
}
