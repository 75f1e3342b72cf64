//! What is published and not yet confirmed by the server.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use formicary_protocol::Bytes;
use futures_util::task::AtomicWaker;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel};

/// A message as the driver takes it.
pub(crate) struct Message {
    pub(crate) exchange: ShortString,
    pub(crate) key: ShortString,
    /// Whether the server gives it back when no queue takes it.
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

/// What became of a message.
pub(crate) enum Fate {
    /// The server has answered.
    Answered {
        /// Whether it has the message.
        is_taken: bool,
        /// A message that it gave back, often another one than this: the driver hands each to whichever answer comes next.
        returned: Option<Box<BasicReturnMessage>>,
    },
    /// It never went out whole, so nobody has it.
    Unwritten,
    /// The channel ended before the answer, for this reason.
    Lost(lapin::Error),
}

/// So many lanes are kept when nothing is out. A burst may have opened as many as may be out at once.
const KEPT: usize = 256;

/// The messages that are out. Each is in a lane of its own, which takes the next one when its own is answered: the driver's
/// future of a message is large, and to make, move and free one for each message costs more than all else that is done here.
#[derive(Default)]
pub(crate) struct Unconfirmed {
    lanes: Vec<Lane>,
    free: Vec<usize>,
    /// What was known at once.
    known: Vec<(u64, Fate)>,
    woken: Arc<Woken>,
}

struct Lane {
    /// Of the message that is in it.
    number: u64,
    desk: Rc<Desk>,
    /// Never ends.
    work: Pin<Box<dyn Future<Output = ()>>>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Where a lane finds what to publish, and leaves what became of it.
#[derive(Default)]
struct Desk {
    message: Cell<Option<(Rc<Channel>, Message)>>,
    fate: Cell<Option<Fate>>,
}

/// Which lanes are to be polled. The driver's thread says it.
#[derive(Default)]
struct Woken {
    lanes: Mutex<Vec<usize>>,
    task: AtomicWaker,
}

struct Bell {
    lane: usize,
    has_rung: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.has_rung.swap(true, Ordering::AcqRel) {
            self.woken.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(self.lane);
            self.woken.task.wake();
        }
    }
}

impl Unconfirmed {
    /// How many are out, and not yet told by [`poll_fates`](Self::poll_fates).
    pub(crate) fn len(&self) -> usize {
        self.lanes.len() - self.free.len() + self.known.len()
    }

    /// Publishes a message. The driver has it when this returns, so that those of a channel go out in the order of the calls.
    pub(crate) fn publish(&mut self, number: u64, channel: &Rc<Channel>, message: Message) {
        let at = self.free.pop().unwrap_or_else(|| self.open());
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.number = number;
            lane.desk.message.set(Some((channel.clone(), message)));
        }
        if let Some(known) = self.poll_lane(at) {
            self.known.push(known);
        }
    }

    /// What became of messages since the last time: all that is known by now, and not none.
    pub(crate) fn poll_fates(&mut self, cx: &mut Context<'_>) -> Poll<Vec<(u64, Fate)>> {
        self.woken.task.register(cx.waker());
        let mut fates = std::mem::take(&mut self.known);
        let woken = std::mem::take(&mut *self.woken.lanes.lock().unwrap_or_else(PoisonError::into_inner));
        for at in woken {
            if let Some(lane) = self.lanes.get(at) {
                lane.bell.has_rung.store(false, Ordering::Release);
                fates.extend(self.poll_lane(at));
            }
        }
        if self.free.len() == self.lanes.len() && self.lanes.len() > KEPT {
            self.free.retain(|at| *at < KEPT);
            self.lanes.truncate(KEPT);
        }
        if fates.is_empty() { Poll::Pending } else { Poll::Ready(fates) }
    }

    /// Forgets all that is out.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn open(&mut self) -> usize {
        let lane = self.lanes.len();
        let desk = Rc::<Desk>::default();
        let bell = Arc::new(Bell { lane, has_rung: AtomicBool::new(false), woken: self.woken.clone() });
        let (work, waker) = (Box::pin(work(desk.clone())), bell.clone().into());
        self.lanes.push(Lane { number: 0, desk, work, bell, waker });
        lane
    }

    fn poll_lane(&mut self, at: usize) -> Option<(u64, Fate)> {
        let lane = self.lanes.get_mut(at)?;
        let _never_ends = lane.work.as_mut().poll(&mut Context::from_waker(&lane.waker));
        let fate = lane.desk.fate.take()?;
        self.free.push(at);
        Some((lane.number, fate))
    }
}

async fn work(desk: Rc<Desk>) {
    loop {
        // No waker: whoever puts a message there polls the lane.
        let (channel, message) = poll_fn(|_| desk.message.take().map_or(Poll::Pending, Poll::Ready)).await;
        let fate = publish(channel, message).await;
        desk.fate.set(Some(fate));
    }
}

/// The first poll puts the message into the driver's own line.
async fn publish(channel: Rc<Channel>, message: Message) -> Fate {
    let Message { exchange, key, mandatory, properties, body } = message;
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let Ok(confirm) = channel.basic_publish(exchange, key, options, &body, properties).await else {
        return Fate::Unwritten;
    };
    drop((channel, body));
    match confirm.await {
        Ok(confirmation) => {
            let is_taken = confirmation.is_ack();
            Fate::Answered { is_taken, returned: confirmation.take_message().map(Box::new) }
        }
        Err(error) => Fate::Lost(error),
    }
}
