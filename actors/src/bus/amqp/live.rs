//! What is set up on each new connection: the exchange, the queues, the bindings, and who takes what arrives.

use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_util::future::try_join_all;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::try_join;

use super::drain::{self, Acks};
use super::incoming;
use super::names::binding;
use super::shared::Shared;
use crate::amqp::{Backlog, CommandError, ConnectError, Link};

/// What is set up on the connection of the moment. Dropping it ends its tasks.
pub(super) struct Live {
    link: Weak<Link>,
    pub(super) generation: u64,
    /// For all that goes out; the server confirms it.
    pub(super) publish: Rc<Channel>,
    /// Our queue for signals.
    pub(super) signals: ShortString,
    /// Our queue for answers.
    pub(super) answers: ShortString,
    /// For bindings that come and go, so that one that the server refuses ends nothing else.
    pub(super) binder: Mutex<Option<Channel>>,
    blocked: watch::Receiver<Option<Arc<str>>>,
    _tasks: [Task; 4],
}

/// Ends with this value.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Live {
    /// Why the server takes nothing from us now, if it does.
    pub(super) fn blocked(&self) -> Option<Arc<str>> {
        self.blocked.borrow().clone()
    }

    /// Returns when the server takes messages, or when the connection is gone.
    pub(super) async fn unblocked(&self) {
        let mut blocked = self.blocked.clone();
        // An error means that the connection is gone.
        blocked.wait_for(Option::is_none).await.ok();
    }

    pub(super) fn saw_activity(&self) {
        if let Some(link) = self.link.upgrade() {
            link.saw_activity();
        }
    }

    /// Ends the connection; another follows.
    pub(super) fn give_up(&self, reason: &str) {
        if let Some(link) = self.link.upgrade() {
            link.give_up(ConnectError::Lost(reason.to_owned()));
        }
    }
}

/// Sets everything up that has to be there before the connection counts as up. `shared` may still be in the making.
pub(super) async fn set_up(shared: &Weak<Shared>, link: Rc<Link>) -> Result<Live, ConnectError> {
    let shared = shared.upgrade().ok_or_else(|| ConnectError::Unreachable("the bus has ended".to_owned()))?;
    // What needs no answer of another goes out beside it: the way to the server may be long, and each answer takes one.
    let (publish, control, of_lost, of_answers, of_signals) =
        try_join!(link.channel(), link.channel(), link.channel(), link.channel(), link.channel())?;
    // Always like this: two processes of which one declares it otherwise could not work together.
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let exchange = shared.exchange.clone();
    let ((), (), (), lost) = try_join!(
        link.answered(publish.confirm_select(ConfirmSelectOptions::default())),
        link.answered(control.exchange_declare(exchange, ExchangeKind::Topic, durable, FieldTable::default())),
        // Of all channels the one that acknowledges.
        link.answered(of_lost.basic_qos(1, BasicQosOptions::default())),
        queue(&link, &control, limits(1, None)),
    )?;
    let (signals, answers) = try_join!(
        queue(&link, &control, backlog(shared.backlog, &lost)),
        queue(&link, &control, backlog(shared.backlog, &lost)),
    )?;
    let of = Rc::downgrade(&shared);
    let ((), lost, from_answers, from_signals) = try_join!(
        bind_all(&shared, &link, &control, &signals),
        consume(&link, of_lost, &lost, Acks::Slowly, incoming::lost(of.clone())),
        consume(&link, of_answers, &answers, Acks::Never, incoming::answers(of.clone())),
        consume(&link, of_signals, &signals, Acks::Never, incoming::signals(of, answers.clone())),
    )?;
    let blocked = link.blocked();
    let watch = Task(actix_rt::spawn(watch_blocked(blocked.clone(), Rc::downgrade(&shared))).abort_handle());
    let tasks = [lost, from_answers, from_signals, watch];
    let (generation, binder, link) = (link.generation(), Mutex::new(Some(control)), Rc::downgrade(&link));
    let publish = Rc::new(publish);
    Ok(Live { link, generation, publish, signals, answers, binder, blocked, _tasks: tasks })
}

/// Hands over what comes into a queue of ours, until the task is dropped.
async fn consume(
    link: &Rc<Link>,
    channel: Channel,
    queue: &ShortString,
    acks: Acks,
    take: drain::Take,
) -> Result<Task, CommandError> {
    let options =
        BasicConsumeOptions { exclusive: true, no_ack: matches!(acks, Acks::Never), ..BasicConsumeOptions::default() };
    let consume = channel.basic_consume(queue.clone(), ShortString::default(), options, FieldTable::default());
    let consumer = link.answered(consume).await?;
    Ok(Task(actix_rt::spawn(drain::run(consumer, channel, link, acks, take)).abort_handle()))
}

/// What could not go out may go out now.
async fn watch_blocked(mut blocked: watch::Receiver<Option<Arc<str>>>, shared: Weak<Shared>) {
    while blocked.changed().await.is_ok() {
        if let Some(shared) = shared.upgrade() {
            shared.line.wake();
        }
    }
}

/// A queue with a name of the server's, which goes with the connection.
async fn queue(link: &Link, channel: &Channel, arguments: FieldTable) -> Result<ShortString, CommandError> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = link.answered(channel.queue_declare(ShortString::default(), options, arguments)).await?;
    Ok(queue.name().clone())
}

fn limits(messages: u32, bytes: Option<u64>) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(messages.into()));
    if let Some(bytes) = bytes {
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes.try_into().unwrap_or(i64::MAX)));
    }
    arguments
}

/// A process that stands still must not fill the server's memory. What is dropped goes through a queue of one place, from
/// which we learn that something was: at most one message a second, however many there are.
fn backlog(backlog: Backlog, lost: &ShortString) -> FieldTable {
    let mut arguments = limits(backlog.messages.get(), Some(backlog.bytes.get()));
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(lost.as_str()));
    arguments
}

async fn bind_all(shared: &Shared, link: &Link, channel: &Channel, queue: &ShortString) -> Result<(), CommandError> {
    let bound = shared.subscriptions.signals().into_iter().filter_map(|signal| binding(&signal).ok()).map(|key| {
        let (queue, exchange) = (queue.clone(), shared.exchange.clone());
        link.answered(channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()))
    });
    try_join_all(bound).await.map(drop)
}
