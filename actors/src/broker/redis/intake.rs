use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::Bytes;
use tokio::time::{Instant, sleep_until};

use super::connection::Link;
use super::consume;
use super::consumer::Consumer;
use super::pause::Pause;
use super::pending::Pending;
use super::settle;
use super::turn::Turn;
use crate::redis::{CommandError, Connection, Reply, Waited};

/// How long a read blocks: so often messages are looked for whose delay another process has set.
const MOST_BLOCK: Duration = Duration::from_secs(2);

/// The task of one consumer, from its first take until nothing of it is left at the server.
///
/// It has one call of the server under way for all that it settles and takes, and beside it, when there is nothing to take, a
/// read that blocks until there is.
pub(super) struct Service {
    pub(super) link: Rc<Link>,
    pub(super) consumer: Rc<Consumer>,
    /// The connection of the read that blocks; gone when the intake is over.
    pub(super) reader: Option<Connection>,
    call: Option<Task<Called>>,
    pub(super) wait: Option<Task<(Turn, Result<Waited, CommandError>)>>,
    /// The stamp of what that read takes.
    pub(super) awaited: Option<u64>,
    /// There may be something to take.
    pub(super) look: bool,
    /// Our lease has run out.
    pub(super) lapsed: bool,
    /// The place was asked for what we do not know, and has nothing of ours; and still it is not empty.
    pub(super) strange: bool,
    pub(super) takes: Pause,
    pub(super) settlements: Pause,
}

pub(super) type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// What came of a call.
pub(super) enum Called {
    Turn { turn: Turn, took: bool, reply: Result<Reply, CommandError> },
    Held(Result<Reply, CommandError>),
    Entered(Result<Bytes, CommandError>),
    Left(Result<Reply, CommandError>),
}

pub(super) async fn serve(link: Rc<Link>, consumer: Rc<Consumer>) {
    let mut service = Service {
        reader: Some(link.open_reader(&consumer)),
        link,
        consumer,
        call: None,
        wait: None,
        awaited: None,
        look: true,
        lapsed: false,
        strange: false,
        takes: Pause::default(),
        settlements: Pause::default(),
    };
    while !service.link.ended.get() {
        service.begin();
        let alarm = alarm(service.next_alarm());
        let Service { call, wait, consumer, .. } = &mut service;
        tokio::select! {
            biased;
            called = ended(call) => {
                service.call = None;
                if service.called(called) {
                    return;
                }
            }
            (turn, waited) = ended(wait) => {
                (service.wait, service.awaited) = (None, None);
                service.waited(&turn, waited);
            }
            () = consumer.changed.notified() => {}
            () = alarm => {}
        }
    }
}

async fn alarm(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn ended<T>(task: &mut Option<Task<T>>) -> T {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

impl Service {
    /// Begins whatever is to be done now.
    fn begin(&mut self) {
        if self.consumer.is_cancelled() && self.call.is_none() && self.reader.take().is_some() {
            // A read that was begun can't be taken back: what it takes until the server sees its connection end is ours.
            self.awaited = None;
            if self.wait.take().is_some() {
                self.consumer.unsure.set(true);
            }
            self.consumer.end_intake();
        }
        if self.call.is_none() {
            self.call = self.next_call();
        }
        let idle = !self.look && !self.lapsed && !self.consumer.is_cancelled() && self.takes.is_over();
        if let Some(reader) = self.reader.as_ref().filter(|_| idle && self.wait.is_none() && self.consumer.free() > 0) {
            let (link, reader, consumer) = (self.link.clone(), reader.clone(), self.consumer.clone());
            let turn = self.turn(&[], self.consumer.free());
            self.awaited = Some(turn.stamp);
            self.wait = Some(Box::pin(async move {
                let block = MOST_BLOCK.min(link.heartbeat());
                let waited =
                    reader.wait_and_run(&consumer.keys.list, block, &link.scripts.turn, &turn.keys, &turn.args).await;
                (turn, waited)
            }));
        }
    }

    fn next_call(&mut self) -> Option<Task<Called>> {
        let (link, consumer) = (self.link.clone(), self.consumer.clone());
        if self.settlements.is_over() {
            consumer.waiting.borrow_mut().extend(consumer.refused.borrow_mut().drain(..));
        }
        let settles = !consumer.waiting.borrow().is_empty() && self.settlements.is_over();
        if consumer.unsure.get() && self.takes.is_over() {
            consumer.unsure.set(false);
            return Some(Box::pin(async move {
                let keys = std::slice::from_ref(&consumer.taken);
                Called::Held(link.run(&link.scripts.held, keys, &[]).await)
            }));
        }
        if self.lapsed && !consumer.is_cancelled() && self.takes.is_over() {
            return Some(Box::pin(async move { Called::Entered(consume::enter(&link, &consumer, None).await) }));
        }
        let look = self.look || consumer.due.get().is_some_and(|due| due <= Instant::now());
        let may_take = look && !self.lapsed && !consumer.is_cancelled() && self.takes.is_over();
        if settles || may_take && consumer.free() > 0 {
            if settles {
                settle::gather(&consumer);
            }
            let flying = consumer.flying.borrow();
            // What is acknowledged in the same turn makes room for what is taken.
            let turn = self.turn(&flying, if may_take { consumer.free() + flying.len() } else { 0 });
            drop(flying);
            if may_take {
                consumer.due.set(None);
            }
            return Some(Box::pin(async move {
                let reply = link.run(&link.scripts.turn, &turn.keys, &turn.args).await;
                Called::Turn { turn, took: may_take, reply }
            }));
        }
        let finished = self.reader.is_none() && consumer.held.borrow().is_empty() && !consumer.unsure.get();
        if finished && self.takes.is_over() {
            return Some(Box::pin(async move {
                let keys = [consumer.keys.leases.clone(), consumer.taken.clone()];
                let args = std::slice::from_ref(&consumer.uid_bytes);
                Called::Left(link.run(&link.scripts.leave, &keys, args).await)
            }));
        }
        None
    }

    fn turn(&self, settlements: &[Pending], most: usize) -> Turn {
        let now_ms = self.link.context.env.clock.now_ms();
        Turn::new(&self.consumer, settlements, most, now_ms, self.link.keys_kept())
    }

    /// When there is something to do that nobody tells of.
    fn next_alarm(&self) -> Option<Instant> {
        if self.call.is_some() {
            return None;
        }
        let takes = self.takes.end();
        let due = self.consumer.due.get().filter(|_| takes.is_none() && self.consumer.free() > 0);
        [takes, self.settlements.end(), due].into_iter().flatten().min()
    }
}
