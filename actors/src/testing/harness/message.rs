use std::panic::Location;
use std::sync::Arc;

use formicary_protocol::{Bytes, Failure, Queue};
use tokio::sync::oneshot;

use super::{Harness, fail, list};
use crate::agent::{Agent, Instance};
use crate::contract::{Delivered, DeliveryInlet};
use crate::testing::Settled;
use crate::testing::view::encoded;

/// As what a message is delivered by a harness. The default: its first attempt.
#[derive(Debug, Clone, Default)]
pub struct Received {
    id: Option<String>,
    earlier: Vec<String>,
}

impl Received {
    /// A first attempt.
    pub fn new() -> Self {
        Self::default()
    }

    /// The message's id. Default: a new one.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// An earlier attempt that failed with this text: the delivery's attempt number counts them.
    #[must_use]
    pub fn after(mut self, error: &str) -> Self {
        self.earlier.push(error.to_owned());
        self
    }

    /// Makes it so many attempts' delivery: the earlier ones failed.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        let earlier = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(MOST_ATTEMPTS);
        self.earlier.resize(earlier, "failed".to_owned());
        self
    }
}

/// More attempts than a test counts.
const MOST_ATTEMPTS: usize = 10_000;

impl<A: Agent> Harness<A> {
    /// Delivers a message to the consumer of `Q`, and returns what became of it.
    ///
    /// It is one delivery and stands in no queue: a message that is to be retried does not come back by itself. To see it come
    /// back, put it into its queue with [`RecordingBroker::put`](crate::testing::RecordingBroker::put).
    ///
    /// # Panics
    /// When the agent has no consumer of `Q`, or the handler panics.
    #[track_caller]
    pub fn message<Q: Queue>(&self, message: &Q::Message) -> impl Future<Output = Settled> {
        self.deliver(Location::caller(), Q::NAME, encoded(message), Received::new())
    }

    /// Delivers a message as another attempt, or with an id.
    ///
    /// # Panics
    /// As [`Harness::message`].
    #[track_caller]
    pub fn message_as<Q: Queue>(&self, message: &Q::Message, received: Received) -> impl Future<Output = Settled> {
        self.deliver(Location::caller(), Q::NAME, encoded(message), received)
    }

    /// Delivers any body, as another program might have put it into the queue.
    ///
    /// # Panics
    /// As [`Harness::message`].
    #[track_caller]
    pub fn message_raw(&self, queue: &str, body: &[u8]) -> impl Future<Output = Settled> {
        self.deliver(Location::caller(), queue, Bytes::copy_from_slice(body), Received::new())
    }

    /// Delivers several messages together, as a batch consumer or `by` needs them, and returns what became of each, in their
    /// order.
    ///
    /// # Panics
    /// As [`Harness::message`].
    #[track_caller]
    pub fn messages<Q: Queue>(&self, messages: &[Q::Message]) -> impl Future<Output = Vec<Settled>> {
        let at = Location::caller();
        let bodies: Vec<_> = messages.iter().map(encoded).collect();
        async move {
            let instance = self.instance(at).await;
            let first = Received::new();
            let handed: Vec<_> =
                bodies.into_iter().map(|body| self.hand(&instance, at, Q::NAME, body, &first)).collect();
            drop(instance);
            let mut settled = Vec::with_capacity(handed.len());
            for handed in handed {
                settled.push(self.settled(at, handed).await);
            }
            settled
        }
    }

    fn deliver(
        &self,
        at: &'static Location<'static>,
        queue: &str,
        body: Bytes,
        received: Received,
    ) -> impl Future<Output = Settled> {
        let queue = queue.to_owned();
        async move {
            let handed = self.hand(&*self.instance(at).await, at, &queue, body, &received);
            self.settled(at, handed).await
        }
    }

    /// Puts a message into the inbox of its consumer.
    fn hand(
        &self,
        instance: &Instance<A>,
        at: &Location<'_>,
        queue: &str,
        body: Bytes,
        received: &Received,
    ) -> oneshot::Receiver<Settled> {
        let consumers = instance.core.consumers.borrow().clone();
        let Some(slot) = consumers.iter().find(|slot| *slot.source.queue == *queue) else {
            let consumed = list(consumers.iter().map(|slot| &*slot.source.queue));
            fail(at, &format!("the agent does not consume `{queue}`; it consumes {consumed}"));
        };
        let shared = &instance.core.shared;
        let handler = instance.plan.consumers.iter().find(|plan| *plan.queue.name == *queue);
        let handler = handler.map(|plan| plan.handler.name.clone()).unwrap_or_default();
        let now_ms = shared.env.clock.now_ms();
        let earlier = received.earlier.iter();
        let history: Vec<_> = earlier.map(|error| Failure::new(now_ms, &shared.agent, &handler, error)).collect();
        let attempt = u32::try_from(history.len()).unwrap_or(u32::MAX).saturating_add(1);
        let (token, settled) = self.broker.expect(attempt, body.clone());
        slot.inbox.deliver(Delivered {
            token,
            id: received.id.as_deref().map_or_else(|| shared.env.ids.id(), Into::into),
            attempt,
            first_seen_ms: now_ms,
            history: history.into(),
            metadata: Arc::new([]),
            body,
        });
        settled
    }

    async fn settled(&self, at: &'static Location<'static>, handed: oneshot::Receiver<Settled>) -> Settled {
        let settled = self.unless_crashed(at, handed).await;
        settled.unwrap_or_else(|_| fail(at, "the broker has ended before the message was settled"))
    }
}
