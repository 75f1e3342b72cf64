//! A consumer that keeps what it gets.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formicary_actors::Error;
use formicary_actors::broker::{Broker, Intake};
use formicary_actors::contract::{ConsumerId, Delivered, DeliveryInlet, Outcome, SettleError, Settlement, Settlements};
use serde_json::json;
use tokio::time::timeout;

use super::stage::slack;
use crate::wait::until;

/// What should come soon, and may be late on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Taker {
    broker: Broker,
    id: ConsumerId,
    tray: Arc<Tray>,
}

#[derive(Default)]
struct Tray(Mutex<Vec<Delivered>>);

impl Tray {
    fn open(&self) -> MutexGuard<'_, Vec<Delivered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeliveryInlet for Tray {
    fn deliver(&self, delivery: Delivered) {
        self.open().push(delivery);
    }
}

pub(crate) fn many(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN)
}

impl Taker {
    pub async fn of(broker: &Broker, queue: &str, credit: usize) -> Self {
        Self::with(broker, queue, credit, |intake| intake).await
    }

    pub async fn with(broker: &Broker, queue: &str, credit: usize, ask: impl FnOnce(Intake) -> Intake) -> Self {
        let taker = Self::try_with(broker, queue, credit, ask).await;
        taker.unwrap_or_else(|error| panic!("consuming {queue}: {error}"))
    }

    pub async fn try_with(
        broker: &Broker,
        queue: &str,
        credit: usize,
        ask: impl FnOnce(Intake) -> Intake,
    ) -> Result<Self, Error> {
        let tray = Arc::new(Tray::default());
        let intake = Intake::new(queue, many(credit), "agent.handler", tray.clone());
        let id = broker.consume_with(ask(intake)).await?;
        Ok(Self { broker: broker.clone(), id, tray })
    }

    /// One that is asked for while no server hears it, and then `heard` ends that: the asking may fail at first, or wait.
    pub async fn asked_for_before(broker: &Broker, heard: impl AsyncFnOnce()) -> Self {
        let ask = async || Self::try_with(broker, "mailer", 4, |intake| intake).await;
        let mut asking = pin!(ask());
        // Long enough for the longest wait between two attempts.
        let said = timeout(slack(), &mut asking).await;
        assert!(!matches!(said, Ok(Ok(_))), "it consumes, and no server knows");
        heard().await;
        let said = match said {
            Ok(said) => said,
            Err(_) => asking.await,
        };
        match said {
            Ok(taker) => taker,
            Err(_) => until(SOON, "a consumer", ask).await,
        }
    }

    /// The next so many, in the order in which they came.
    pub async fn next(&self, count: usize) -> Vec<Delivered> {
        self.next_within(SOON, count).await
    }

    pub async fn next_within(&self, time: Duration, count: usize) -> Vec<Delivered> {
        until(time, format!("{count} messages"), async || self.tray.open().len() >= count).await;
        self.tray.open().drain(..count).collect()
    }

    pub async fn one(&self) -> Delivered {
        self.next(1).await.remove(0)
    }

    /// All that has come, as soon as there is something.
    pub async fn some(&self) -> Vec<Delivered> {
        let mut look = tokio::time::interval(Duration::from_millis(1));
        while self.held() == 0 {
            look.tick().await;
        }
        self.all()
    }

    /// What has come by now.
    pub fn all(&self) -> Vec<Delivered> {
        self.tray.open().drain(..).collect()
    }

    pub fn held(&self) -> usize {
        self.tray.open().len()
    }

    pub async fn settle(&self, batch: impl Into<Settlements>) -> Result<(), SettleError> {
        self.broker.settled(self.id, batch).await
    }

    /// Puts a settlement on its way, and does not wait for it.
    pub fn let_settle(&self, batch: impl Into<Settlements>) {
        self.broker.settle(self.id, batch);
    }

    pub async fn ack(&self, delivered: &Delivered) {
        let ended = self.settle(Settlement::new(delivered.token, Outcome::Ack)).await;
        ended.unwrap_or_else(|error| panic!("an acknowledgement: {error}"));
    }

    pub async fn seen(&self, keys: &[&str]) -> Vec<bool> {
        let keys = keys.iter().map(|key| Arc::from(*key)).collect();
        self.broker.were_seen(self.id, keys).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Begins to consume once more, beside what it does.
    pub async fn again(&self) -> Result<ConsumerId, Error> {
        self.broker.consume("mailer", NonZeroUsize::MIN, "agent.handler", self.tray.clone()).await
    }

    pub async fn cancel(&self) {
        self.broker.cancel(self.id).await;
    }
}

/// Puts numbers into a queue.
pub(crate) async fn send(broker: &Broker, queue: &str, numbers: std::ops::Range<u32>) {
    for n in numbers {
        broker.dynamic(queue, &json!(n)).await.unwrap_or_else(|error| panic!("sending {n} to {queue}: {error}"));
    }
}

/// The number that a message is.
pub(crate) fn number(delivered: &Delivered) -> u64 {
    let text = String::from_utf8_lossy(&delivered.body);
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number that was sent"))
}
