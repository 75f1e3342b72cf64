use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use formicary_protocol::{DeadLetter, Queue, Value, encode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::BrokerPort;
use super::intake::Intake;
use crate::contract::{
    Cancel, CloseBroker, Concerned, ConnectionState, Consume, ConsumerId, Counts, Dead, DeadRequest, Declare,
    DeliveryInlet, DescribeBroker, Description, Inspect, Letters, Outgoing, Pending, Permits, Replies, Reply, Send,
    SendOptions, Settle, SettleError, Settlements, WasSeen,
};
use crate::error::{Error, SendError};
use crate::{Env, payload};

/// The handle of a broker: cheap to clone, usable from every thread, with or without a runtime.
#[derive(Clone, Debug)]
pub struct Broker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    port: BrokerPort,
    env: Env,
    permits: Permits,
    sent: Arc<Replies<Result<(), SendError>>>,
    state: watch::Receiver<ConnectionState>,
    link: OnceLock<String>,
    consumers: AtomicU64,
}

impl Broker {
    /// A handle of an adapter.
    pub fn new(port: BrokerPort, env: Env, state: watch::Receiver<ConnectionState>) -> Self {
        let permits = Permits::new(env.limits.in_flight.get());
        Self(Arc::new(Inner {
            port,
            env,
            permits,
            sent: Replies::new(),
            state,
            link: OnceLock::new(),
            consumers: AtomicU64::new(0),
        }))
    }

    /// Sends a message to its queue; returns when the broker has it.
    ///
    /// # Errors
    /// [`SendError::NotSent`] or [`SendError::Unknown`] within the deadline (default 5 s); also when the queue is not
    /// declared or the body is too large.
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll does not take the message back.
    pub async fn send<Q: Queue>(&self, message: &Q::Message) -> Result<(), Error> {
        self.send_with::<Q>(message, SendOptions::default()).await
    }

    /// Sends a message with options.
    ///
    /// # Errors
    /// As [`Broker::send`]; also when the broker lacks an option.
    pub async fn send_with<Q: Queue>(&self, message: &Q::Message, options: SendOptions) -> Result<(), Error> {
        self.declared(Q::NAME)?;
        Ok(self.send_outgoing(Outgoing { queue: Q::NAME.into(), body: encode(message)?, options }).await?)
    }

    /// Sends a message to a queue that is known only by its name. For tools; agents use `Push<Q>`.
    ///
    /// # Errors
    /// As [`Broker::send`]; in mode `reject` also when the message does not fit the declaration.
    pub async fn dynamic(&self, queue: &str, message: &Value) -> Result<(), Error> {
        self.check_payload(queue, message)?;
        let options = SendOptions::default();
        Ok(self.send_outgoing(Outgoing { queue: queue.into(), body: encode(message)?, options }).await?)
    }

    /// Makes sure that a queue is at the server as it is declared. The start of an agent does so for every queue that it
    /// consumes or sends to.
    ///
    /// # Errors
    /// When the queue is there otherwise than declared, or the broker cannot be reached or refuses.
    pub async fn declare(&self, queue: &str) -> Result<(), Error> {
        self.declared(queue)?;
        let (reply, pending) = Reply::new();
        let deadline = self.send_deadline();
        self.0.port.put(Declare { queue: queue.into(), deadline, reply });
        pending.await.ok_or(Error::Closed("the broker"))?
    }

    /// How many messages wait, run, are delayed and are dead in a queue.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn inspect(&self, queue: &str) -> Result<Counts, Error> {
        self.declared(queue)?;
        let (reply, pending) = Reply::new();
        let deadline = self.send_deadline();
        self.0.port.put(Inspect { queue: queue.into(), deadline, reply });
        pending.await.ok_or(Error::Closed("the broker"))?
    }

    /// Reads dead letters of a queue, the oldest first, and leaves them.
    ///
    /// # Errors
    /// When the broker cannot be reached, refuses, or cannot do it.
    pub async fn peek(&self, queue: &str, which: Letters) -> Result<Vec<DeadLetter>, Error> {
        Ok(self.dead(queue, DeadRequest::Peek, which).await?.letters)
    }

    /// Puts dead letters back into their queue, the oldest first: their attempts are counted anew, and their history is
    /// kept. Returns how many. What dies again meanwhile is not replayed a second time.
    ///
    /// # Errors
    /// As [`Broker::peek`]; some may have been put back then.
    pub async fn replay(&self, queue: &str, which: Letters) -> Result<u64, Error> {
        Ok(self.dead(queue, DeadRequest::Replay, which).await?.count)
    }

    /// Deletes dead letters. Returns how many.
    ///
    /// # Errors
    /// As [`Broker::peek`]; some may have been deleted then.
    pub async fn purge(&self, queue: &str, which: Letters) -> Result<u64, Error> {
        Ok(self.dead(queue, DeadRequest::Purge, which).await?.count)
    }

    async fn dead(&self, queue: &str, request: DeadRequest, which: Letters) -> Result<Concerned, Error> {
        self.declared(queue)?;
        let (reply, pending) = Reply::new();
        let deadline = self.send_deadline();
        self.0.port.put(Dead { queue: queue.into(), request, which, deadline, reply });
        pending.await.ok_or(Error::Closed("the broker"))?
    }

    /// What the broker is and can do.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn describe(&self) -> Result<Description, Error> {
        let (reply, pending) = Reply::new();
        self.0.port.put(DescribeBroker(reply));
        let description = pending.await.ok_or(Error::Closed("the broker"))?;
        self.0.link.get_or_init(|| format!("{} broker at {}", description.adapter, description.address));
        Ok(description)
    }

    /// The adapter and its address, once it was asked for them.
    pub(crate) fn link(&self) -> &str {
        self.0.link.get().map_or("a broker that was not asked yet", String::as_str)
    }

    /// Asks for them. The address of an adapter stays the same.
    pub(crate) async fn ask_link(&self) {
        if self.0.link.get().is_none() {
            // A broker that is closed says so itself.
            self.describe().await.ok();
        }
    }

    /// The state of the connection now.
    pub fn connection(&self) -> ConnectionState {
        self.0.state.borrow().clone()
    }

    /// What the broker shares with its group.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// Consumes a queue into an inlet. For adapters of other systems and for tests; agents use consumers.
    ///
    /// # Errors
    /// When the broker is closed or refuses.
    pub async fn consume(
        &self,
        queue: &str,
        credit: NonZeroUsize,
        consumer: &str,
        inlet: Arc<dyn DeliveryInlet>,
    ) -> Result<ConsumerId, Error> {
        self.consume_with(Intake::new(queue, credit, consumer, inlet)).await
    }

    pub(crate) fn next_consumer(&self) -> ConsumerId {
        ConsumerId(self.0.consumers.fetch_add(1, Ordering::Relaxed))
    }

    /// Consumes with everything that a consumer may ask of its broker.
    ///
    /// # Errors
    /// When the broker is closed, refuses, or cannot do what is asked.
    pub async fn consume_with(&self, intake: Intake) -> Result<ConsumerId, Error> {
        let id = self.next_consumer();
        self.consume_as(id, intake).await?;
        Ok(id)
    }

    pub(crate) async fn consume_as(&self, id: ConsumerId, intake: Intake) -> Result<(), Error> {
        let (reply, pending) = Reply::new();
        let Intake { queue, credit, consumer, outbox, dedup, inlet } = intake;
        self.0.port.put(Consume { id, queue, credit, consumer, outbox, dedup, inlet, reply });
        pending.await.ok_or(Error::Closed("the broker"))?
    }

    /// Which keys of a queue are remembered by earlier acknowledgements ([`crate::contract::Seen`]).
    ///
    /// # Errors
    /// When the broker cannot be reached in time (5 s), or refuses.
    pub async fn were_seen(&self, consumer: ConsumerId, keys: Vec<Arc<str>>) -> Result<Vec<bool>, Error> {
        let (reply, pending) = Reply::new();
        let deadline = self.send_deadline();
        self.0.port.put(WasSeen { consumer, keys, deadline, reply });
        pending.await.ok_or(Error::Closed("the broker"))?
    }

    /// Ends a consumer's intake; what it has may still be settled.
    pub async fn cancel(&self, id: ConsumerId) {
        let (reply, pending) = Reply::new();
        self.0.port.put(Cancel { id, reply });
        pending.await;
    }

    /// Settles deliveries. The adapter keeps the batch until it is applied.
    pub fn settle(&self, consumer: ConsumerId, batch: impl Into<Settlements>) {
        self.0.port.put(Settle { consumer, batch: batch.into(), reply: None });
    }

    /// Settles deliveries, and returns when the broker has applied it.
    ///
    /// # Errors
    /// [`SettleError`]: which of them came too late, or why none was applied.
    pub async fn settled(&self, consumer: ConsumerId, batch: impl Into<Settlements>) -> Result<(), SettleError> {
        let batch = batch.into();
        let all = batch.len();
        self.settle_heard(consumer, batch).await.unwrap_or(Err(SettleError::Closed(all)))
    }

    /// The same for whoever waits later, or not at all: it is on its way when this returns.
    pub(crate) fn settle_heard(
        &self,
        consumer: ConsumerId,
        batch: impl Into<Settlements>,
    ) -> Pending<Result<(), SettleError>> {
        let (reply, pending) = Reply::new();
        self.0.port.put(Settle { consumer, batch: batch.into(), reply: Some(reply) });
        pending
    }

    /// Closes the broker: sends and settlements that were accepted are carried out until the deadline, and later ones fail. Closing twice
    /// is fine. A group closes its own; this is for whoever started an adapter without one.
    pub async fn close(&self, deadline: Instant) {
        let (reply, pending) = Reply::new();
        self.0.port.put(CloseBroker { deadline, reply });
        pending.await;
    }

    /// Whether both are handles of one broker.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn port(&self) -> &BrokerPort {
        &self.0.port
    }

    pub(crate) fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    pub(crate) fn send_deadline(&self) -> Instant {
        crate::clock::after(self.0.env.limits.send_deadline)
    }

    pub(crate) fn declared(&self, queue: &str) -> Result<(), Error> {
        match self.0.env.declarations.queue(queue) {
            Some(_) => Ok(()),
            None => Err(Error::Settings(format!(
                "the queue `{queue}` is not declared: add it to the declarations of the group"
            ))),
        }
    }

    pub(crate) fn check_payload(&self, queue: &str, message: &Value) -> Result<(), Error> {
        self.declared(queue)?;
        let env = &self.0.env;
        let check = || env.declarations.queue(queue).map(|queue| queue.check(message)).unwrap_or_default();
        payload::judge(env, "sent", queue, check)
            .map_err(|reason| Error::Settings(format!("the message for `{queue}` is not sent: {reason}")))
    }

    pub(crate) async fn send_outgoing(&self, outgoing: Outgoing) -> Result<(), SendError> {
        let limit = self.0.env.limits.max_body.get();
        if outgoing.body.len() > limit {
            let size = outgoing.body.len();
            return Err(SendError::not_sent(format!(
                "its body has {size} bytes; the limit is {limit} (setting max_body)"
            )));
        }
        let permit = self.0.permits.take().ok_or_else(|| {
            let limit = self.0.env.limits.in_flight;
            SendError::not_sent(format!("{limit} messages are under way already (setting in_flight)"))
        })?;
        let (reply, pending) = self.0.sent.reply();
        let deadline = self.send_deadline();
        self.0.port.put(Send { batch: vec![outgoing], deadline, reply, permit: Some(permit) });
        pending.await.unwrap_or_else(|| Err(SendError::not_sent("the broker is closed")))
    }
}
