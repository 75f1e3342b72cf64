//! The task behind a line: it publishes what waits, and shares the answers out.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use formicary_protocol::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel};
use tokio::time::{Instant, Sleep, sleep_until};

use super::queue::Queue;
use crate::amqp::{CommandError, Connection, Link};
use crate::broker::amqp::properties;
use crate::broker::amqp::topology::{Address, Topology};
use crate::broker::pause::Pause;

/// Deadlines are looked at no more often than this, however many there are.
const TICK: Duration = Duration::from_millis(5);
/// So long one wait for the connection or a declaration is; then the writer looks around.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    queue: Rc<Queue>,
    connection: Connection,
    topology: Rc<Topology>,
    /// The connection and channel that publish now.
    session: RefCell<Option<(Rc<Link>, Channel)>>,
    /// How many are out, those that their senders have given up too.
    out: Cell<usize>,
    most_out: usize,
}

/// What became of one message.
enum Sent {
    /// The driver had not yet written all of it when its channel ended.
    Unwritten,
    /// The channel ended before the answer.
    Lost(String),
    /// Whether the server has it, and a message that it gave back: this one or another.
    Answered(bool, Option<Box<BasicReturnMessage>>),
}

pub(super) async fn run(writer: Writer) {
    let mut out = FuturesUnordered::new();
    let mut turn = pin!(writer.turn());
    let mut rang = Instant::now();
    let mut alarm = pin!(sleep_until(rang));
    loop {
        writer.out.set(out.len());
        tokio::select! {
            biased;
            () = poll_fn(|cx| writer.queue.poll_over(cx)) => return,
            came = poll_fn(|cx| poll_all(&mut out, cx)) => writer.came_back(came),
            () = poll_fn(|cx| poll_alarm(&writer.queue, alarm.as_mut(), rang + TICK, cx)) => {
                rang = Instant::now();
                writer.queue.sweep(rang);
            }
            () = writer.gone() => drop(writer.session.take()),
            channel = &mut turn => {
                let now = Instant::now();
                while out.len() < writer.most_out
                    && let Some((number, (address, properties, body))) = writer.next(now)
                {
                    out.push(publish(channel.clone(), number, address, properties, body));
                }
                turn.set(writer.turn());
            }
        }
    }
}

/// All that came back by now. They are looked at together, since a message that the server gave back may come with
/// the answer to another one.
fn poll_all<F: Future>(out: &mut FuturesUnordered<F>, cx: &mut Context<'_>) -> Poll<Vec<F::Output>> {
    let mut came = Vec::new();
    while let Poll::Ready(Some(one)) = out.poll_next_unpin(cx) {
        came.push(one);
    }
    if came.is_empty() { Poll::Pending } else { Poll::Ready(came) }
}

/// Ready at the first deadline. It may have come nearer since the last poll.
fn poll_alarm(queue: &Queue, mut alarm: Pin<&mut Sleep>, earliest: Instant, cx: &mut Context<'_>) -> Poll<()> {
    let Some(deadline) = queue.alarm() else { return Poll::Pending };
    let at = deadline.max(earliest);
    if alarm.deadline() != at {
        alarm.as_mut().reset(at);
    }
    alarm.poll(cx)
}

async fn publish(
    channel: Channel,
    number: u64,
    address: Address,
    properties: BasicProperties,
    body: Bytes,
) -> (u64, Sent) {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let Address { exchange, key } = address;
    // The first poll puts it into the driver's own line, which keeps the order of first polls: that of this one.
    let Ok(confirm) = channel.basic_publish(exchange, key, options, &body, properties).await else {
        return (number, Sent::Unwritten);
    };
    drop(body);
    match confirm.await {
        Ok(confirmation) => {
            let is_taken = !confirmation.is_nack();
            (number, Sent::Answered(is_taken, confirmation.take_message().map(Box::new)))
        }
        Err(error) => (number, Sent::Lost(error.to_string())),
    }
}

impl Writer {
    pub(super) fn new(queue: Rc<Queue>, connection: Connection, topology: Rc<Topology>, most_out: usize) -> Self {
        Self { queue, connection, topology, session: RefCell::default(), out: Cell::default(), most_out }
    }

    fn next(&self, now: Instant) -> Option<(u64, (Address, BasicProperties, Bytes))> {
        self.queue.next(now, |job| {
            let address = self.topology.address(&job.to)?;
            let properties = job.properties.clone();
            let delayed = job.to.delay_ms > 0;
            let properties = if delayed { properties::delayed(properties, job.to.delay_ms) } else { properties };
            Some((address, properties, job.body.clone()))
        })
    }

    fn came_back(&self, came: Vec<(u64, Sent)>) {
        let mut unwritten = Vec::new();
        let mut lost = false;
        let mut ended = Vec::with_capacity(came.len());
        for (number, sent) in came {
            match sent {
                Sent::Unwritten => unwritten.push(number),
                Sent::Lost(why) => {
                    // It may be gone because something that was declared is.
                    lost = true;
                    ended.push((number, Err(CommandError::Unknown(format!("its channel was lost ({why})")))));
                }
                Sent::Answered(is_taken, returned) => {
                    returned.into_iter().for_each(|message| self.queue.returned(&message));
                    let refused = || CommandError::NotSent("the server could not take it".to_owned());
                    ended.push((number, is_taken.then_some(()).ok_or_else(refused)));
                }
            }
        }
        if lost || !unwritten.is_empty() {
            self.session.take();
            self.topology.forget();
            self.queue.put_back(unwritten);
        }
        if let Some((link, _)) = &*self.session.borrow() {
            link.saw_activity();
        }
        self.queue.came_back(ended);
    }

    /// Waits for something to publish, for a channel, and until the first that waits has a place to go to.
    async fn turn(&self) -> Channel {
        let mut pause = Pause::default();
        loop {
            // No waker: what changes the line wakes the writer's task, which asks everything again.
            poll_fn(|_| if self.has_work() { Poll::Ready(()) } else { Poll::Pending }).await;
            if let Some(end) = pause.end() {
                sleep_until(end).await;
            }
            let deadline = Instant::now() + LOOK;
            let (link, channel) = match self.channel(deadline).await {
                Ok(session) => session,
                Err(error) => {
                    self.queue.obstacle(&why(error));
                    pause.lengthen();
                    continue;
                }
            };
            let Some(to) = self.queue.first() else { continue };
            if self.topology.address(&to).is_none()
                && let Err(error) = self.topology.declare(&to, deadline).await
            {
                match &error {
                    CommandError::Refused { .. } => self.queue.refuse_first(&to, &error),
                    _ => {
                        self.queue.obstacle(&why(error));
                        pause.lengthen();
                    }
                }
                continue;
            }
            if link.blocked().borrow().is_none() {
                return channel;
            }
        }
    }

    /// Returns when the connection that publishes now is gone. Held on, it would keep its socket, and what is out on it.
    fn gone(&self) -> impl Future<Output = ()> + use<> {
        let gone = self.session.borrow().as_ref().map(|(link, _)| link.gone());
        async move {
            match gone {
                Some(gone) => gone.await,
                None => pending().await,
            }
        }
    }

    fn has_work(&self) -> bool {
        self.queue.has_work() && self.out.get() < self.most_out
    }

    async fn channel(&self, deadline: Instant) -> Result<(Rc<Link>, Channel), CommandError> {
        if let Err(error) = self.connection.link(Instant::now()).await {
            self.queue.obstacle(&why(error));
        }
        let link = self.connection.link(deadline).await?;
        // Apart, so that nothing is borrowed while it waits.
        let reason = link.blocked().borrow().clone();
        if let Some(reason) = reason {
            return self.blocked(&link, &reason).await;
        }
        let session = self.session.borrow().clone();
        if let Some((of, channel)) = session
            && Rc::ptr_eq(&of, &link)
            && channel.status().connected()
        {
            return Ok((of, channel));
        }
        let channel = link.channel().await?;
        link.answered(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        self.session.replace(Some((link.clone(), channel.clone())));
        Ok((link, channel))
    }

    /// Waits until the server takes messages again.
    async fn blocked(&self, link: &Rc<Link>, reason: &str) -> Result<(Rc<Link>, Channel), CommandError> {
        self.queue.obstacle(&format!("the server takes no messages now: {reason}"));
        let mut blocked = link.blocked();
        tokio::select! {
            biased;
            () = link.gone() => {}
            _ = blocked.wait_for(Option::is_none) => {}
        }
        Err(CommandError::NotSent(format!("the server took no messages: {reason}")))
    }
}

fn why(error: CommandError) -> String {
    match error {
        CommandError::NotSent(why) | CommandError::Unknown(why) => why,
        refused => refused.to_string(),
    }
}
