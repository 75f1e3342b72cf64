//! The task behind a line: it publishes what waits, and shares the answers out.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::out::{Answer, Returned};
use super::queue::Queue;
use crate::amqp::{Alarm, CommandError, Connection, Fate, Link, Message, Unconfirmed};
use crate::broker::amqp::properties;
use crate::broker::amqp::topology::{Address, Topology};
use crate::broker::pause::Pause;

/// So long one wait for the connection or a declaration is; then the writer looks around.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    queue: Rc<Queue>,
    connection: Connection,
    topology: Rc<Topology>,
    session: RefCell<Option<Session>>,
    /// Tells who waits for the end of the session that there is another.
    opened: Notify,
    /// How many are out, those that their senders have given up too.
    out: Cell<usize>,
    most_out: usize,
}

/// The connection and channel that publish now.
#[derive(Clone)]
struct Session {
    link: Rc<Link>,
    channel: Rc<Channel>,
}

pub(super) async fn run(writer: Writer) {
    let mut out = Unconfirmed::default();
    let mut turn = pin!(writer.turn());
    let mut gone = pin!(writer.gone());
    let mut alarm = Alarm::new();
    loop {
        writer.out.set(out.len());
        tokio::select! {
            biased;
            () = poll_fn(|cx| writer.queue.poll_over(cx)) => return,
            fates = poll_fn(|cx| out.poll_fates(cx)) => writer.came_back(fates),
            now = poll_fn(|cx| alarm.poll(writer.queue.alarm(), cx)) => writer.queue.sweep(now),
            () = &mut gone => {
                writer.session.borrow_mut().take_if(|session| !writer.is_up(session));
                gone.set(writer.gone());
            }
            Session { channel, .. } = &mut turn => {
                let now = Instant::now();
                while out.len() < writer.most_out
                    && let Some((number, message)) = writer.next(now)
                {
                    out.publish(number, &channel, message);
                }
                turn.set(writer.turn());
            }
        }
    }
}

impl Writer {
    pub(super) fn new(queue: Rc<Queue>, connection: Connection, topology: Rc<Topology>, most_out: usize) -> Self {
        let (session, opened, out) = (RefCell::default(), Notify::new(), Cell::default());
        Self { queue, connection, topology, session, opened, out, most_out }
    }

    fn next(&self, now: Instant) -> Option<(u64, Message)> {
        self.queue.next(now, |job| {
            let Address { exchange, key } = self.topology.address(&job.to)?;
            let properties = job.properties.clone();
            let delayed = job.to.delay_ms > 0;
            let properties = if delayed { properties::delayed(properties, job.to.delay_ms) } else { properties };
            Some(Message { exchange, key, mandatory: true, properties, body: job.body.clone() })
        })
    }

    fn came_back(&self, fates: Vec<(u64, Fate)>) {
        let mut unwritten = Vec::new();
        let mut answers = Vec::with_capacity(fates.len());
        let mut lost = false;
        for (number, fate) in fates {
            let (outcome, returned) = match fate {
                Fate::Unwritten => {
                    unwritten.push(number);
                    continue;
                }
                Fate::Lost(why) => {
                    // It may be gone because something that was declared is.
                    lost = true;
                    (Err(CommandError::Unknown(format!("its channel was lost ({why})"))), None)
                }
                Fate::Answered { is_taken: true, returned } => (Ok(()), returned),
                Fate::Answered { is_taken: false, returned } => {
                    (Err(CommandError::NotSent("the server could not take it".to_owned())), returned)
                }
            };
            let returned = returned.map(|message| Returned {
                exchange: message.exchange.clone(),
                key: message.routing_key.clone(),
                id: message.properties.message_id().clone(),
            });
            answers.push(Answer { number, outcome, returned });
        }
        if lost || !unwritten.is_empty() {
            self.session.take();
            self.topology.forget();
            self.queue.put_back(unwritten);
        }
        if let Some(session) = &*self.session.borrow() {
            session.link.saw_activity();
        }
        self.queue.answered(answers);
    }

    /// Waits for something to publish, for a channel, and until the first that waits has a place to go to.
    async fn turn(&self) -> Session {
        let mut pause = Pause::default();
        loop {
            // No waker: what changes the line wakes the writer's task, which asks everything again.
            poll_fn(|_| if self.has_work() { Poll::Ready(()) } else { Poll::Pending }).await;
            if let Some(end) = pause.end() {
                sleep_until(end).await;
            }
            let deadline = Instant::now() + LOOK;
            let session = match self.session(deadline).await {
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
            if !session.link.is_blocked() {
                return session;
            }
        }
    }

    /// Returns when the connection that publishes now is gone. Held on, it would keep its socket, and what is out on it.
    async fn gone(&self) {
        loop {
            let gone = self.session.borrow().as_ref().map(|session| session.link.gone());
            match gone {
                Some(gone) => return gone.await,
                None => self.opened.notified().await,
            }
        }
    }

    fn has_work(&self) -> bool {
        self.queue.has_work() && self.out.get() < self.most_out
    }

    async fn session(&self, deadline: Instant) -> Result<Session, CommandError> {
        let session = self.session.borrow().clone();
        if let Some(session) = &session
            && self.is_up(session)
            && !session.link.is_blocked()
        {
            return Ok(session.clone());
        }
        if let Err(error) = self.connection.link(Instant::now()).await {
            self.queue.obstacle(&why(error));
        }
        let link = self.connection.link(deadline).await?;
        // Apart, so that nothing is borrowed while it waits.
        let reason = link.blocked().borrow().clone();
        if let Some(reason) = reason {
            return self.blocked(&link, &reason).await;
        }
        if let Some(session) = session
            && self.is_up(&session)
        {
            return Ok(session);
        }
        let channel = link.channel().await?;
        link.answered(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let session = Session { link, channel: Rc::new(channel) };
        self.session.replace(Some(session.clone()));
        self.opened.notify_one();
        Ok(session)
    }

    fn is_up(&self, session: &Session) -> bool {
        self.connection.now().is_some_and(|link| Rc::ptr_eq(&link, &session.link))
            && session.channel.status().connected()
    }

    /// Waits until the server takes messages again.
    async fn blocked(&self, link: &Rc<Link>, reason: &str) -> Result<Session, CommandError> {
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
