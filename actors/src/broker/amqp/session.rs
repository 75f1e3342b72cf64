//! One channel of a consumer, from its first delivery until it ends.

use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, sleep_until};

use super::acks::{self, Settled};
use super::connection::Link;
use super::consumer::Consumer;
use super::names::short;
use super::topology::To;
use super::{copies, deliver, transaction};
use crate::amqp::{self, CommandError, ConnectError, done_by};

/// What a connection is given up for whose deliveries have a gap.
const OUT_OF_STEP: &str = "a delivery is missing";

/// A channel that consumes.
pub(super) struct Session {
    amqp: Rc<amqp::Link>,
    channel: Channel,
    stream: lapin::Consumer,
    /// The intake has ended, and all that came before is known.
    dry: bool,
    is_cancelling: bool,
    /// The server's answer to a command behind what was written: the proof that it has done that.
    proof: Option<Proof>,
    /// What it proves.
    proving: Vec<Settled>,
    /// What was written since.
    written: Vec<Settled>,
}

type Proof = Pin<Box<dyn Future<Output = Result<(), CommandError>>>>;

/// Why a session is over.
pub(super) enum End {
    /// Cancelled, and nothing is in hand any more.
    Done,
    /// The connection was lost, which tells of it itself.
    Disconnected,
    /// The server has ended the channel or the consumer.
    Ended(String),
}

impl Session {
    /// Declares the queue and begins to consume it, by `deadline`.
    pub(super) async fn open(link: &Link, consumer: &Consumer, deadline: Instant) -> Result<Self, CommandError> {
        let what = format!("to consume the queue `{}`", consumer.queue);
        done_by(deadline, &what, Self::begin(link, consumer, deadline)).await
    }

    async fn begin(link: &Link, consumer: &Consumer, deadline: Instant) -> Result<Self, CommandError> {
        link.topology.declare(&To::itself(consumer.queue.clone(), 0), deadline).await?;
        let is_transaction = !consumer.outbox.is_empty();
        let connection = if is_transaction { link.transactions() } else { link.consuming.clone() };
        let amqp = connection.link(deadline).await?;
        let channel = amqp.channel().await?;
        let qos = channel.basic_qos(consumer.credit(), BasicQosOptions::default());
        amqp.answered(qos).await?;
        if is_transaction {
            amqp.answered(channel.tx_select()).await?;
        }
        let queue = short(&consumer.queue).unwrap_or_default();
        let options = BasicConsumeOptions::default();
        let consume = channel.basic_consume(queue, tag(link, consumer), options, FieldTable::default());
        let stream = amqp.answered(consume).await?;
        Ok(Self {
            amqp,
            channel,
            stream,
            dry: false,
            is_cancelling: false,
            proof: None,
            proving: Vec::new(),
            written: Vec::new(),
        })
    }

    pub(super) async fn run(&mut self, link: &Rc<Link>, consumer: &Rc<Consumer>) -> End {
        loop {
            self.tell(link, consumer);
            if self.dry && consumer.in_flight() == 0 && self.proof.is_none() {
                return End::Done;
            }
            if consumer.is_cancelled() && !self.is_cancelling {
                self.is_cancelling = true;
                let cancel = self.channel.basic_cancel(self.stream.tag(), BasicCancelOptions::default());
                // What came before its answer comes from the stream, and then its end.
                if let Err(error) = self.amqp.answered(cancel).await {
                    return self.why(&error.to_string());
                }
            }
            let stuck = consumer.stuck.borrow().due();
            tokio::select! {
                biased;
                () = self.amqp.gone() => return End::Disconnected,
                proved = prove(&mut self.proof) => match proved {
                    Ok(()) => self.proved(link, consumer),
                    Err(error) => return self.why(&error.to_string()),
                },
                () = consumer.changed.notified() => {}
                () = at(stuck) => copies::again(link, consumer),
                next = self.stream.next(), if !self.dry => match next {
                    Some(Ok(delivery)) => {
                        self.amqp.saw_activity();
                        if delivery.delivery_tag != consumer.next_tag() {
                            // An acknowledgement of several would cover one that never came.
                            self.amqp.give_up(ConnectError::Unreachable(OUT_OF_STEP.to_owned()));
                            return End::Disconnected;
                        }
                        deliver::deliver(link, consumer, delivery);
                    }
                    Some(Err(error)) => return self.why(&error.to_string()),
                    None if self.is_cancelling => {
                        self.dry = true;
                        consumer.leaving.end_intake();
                    }
                    None => return self.why("the server has ended the consumer: was its queue deleted?"),
                },
            }
        }
    }

    /// Writes what is ready. A transaction is written when the one before is done.
    fn tell(&mut self, link: &Rc<Link>, consumer: &Rc<Consumer>) {
        if consumer.ready.borrow().is_empty() || (self.is_transaction(consumer) && self.proof.is_some()) {
            return;
        }
        if self.is_transaction(consumer) {
            let (commit, settled) = transaction::commit(link, consumer, &self.amqp, &self.channel);
            self.proof = Some(Box::pin(commit));
            self.proving = settled;
            return;
        }
        let settled = acks::flush(consumer, &self.channel);
        let events = &link.context.env.events;
        for one in settled {
            match one.batch {
                // The answer to the cancel is the proof of what comes before it. Behind it the channel ends at once, and what
                // the driver has not written by then, such as the acknowledgement of a retry, it would drop.
                None if !self.is_cancelling => one.applied(events, consumer),
                _ => self.written.push(one),
            }
        }
        self.ask_for_proof(consumer);
    }

    /// Somebody waits until it is done: a command that changes nothing is answered after all before it.
    fn ask_for_proof(&mut self, consumer: &Consumer) {
        if self.written.is_empty() || self.proof.is_some() {
            return;
        }
        let (amqp, channel, credit) = (self.amqp.clone(), self.channel.clone(), consumer.credit());
        self.proving = std::mem::take(&mut self.written);
        self.proof =
            Some(Box::pin(async move { amqp.answered(channel.basic_qos(credit, BasicQosOptions::default())).await }));
    }

    fn is_transaction(&self, consumer: &Consumer) -> bool {
        !consumer.outbox.is_empty()
    }

    fn proved(&mut self, link: &Link, consumer: &Consumer) {
        self.proof = None;
        for one in std::mem::take(&mut self.proving) {
            one.applied(&link.context.env.events, consumer);
        }
        self.ask_for_proof(consumer);
    }

    fn why(&self, said: &str) -> End {
        if self.amqp.is_up() { End::Ended(said.to_owned()) } else { End::Disconnected }
    }

    /// What was written and not proved.
    pub(super) fn unproved(self) -> impl Iterator<Item = Settled> {
        self.proving.into_iter().chain(self.written)
    }
}

fn tag(link: &Link, consumer: &Consumer) -> ShortString {
    let id = link.context.env.ids.id();
    short(&format!("{}-{id}", consumer.name)).or_else(|| short(&id)).unwrap_or_default()
}

async fn prove(proof: &mut Option<Proof>) -> Result<(), CommandError> {
    match proof {
        Some(proof) => proof.await,
        None => pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
