use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::connection::Link;
use super::consume;
use super::consumer::Consumer;
use super::pending::Pending;
use super::recover::in_place;
use super::settle;
use super::turn::{Turn, turns_at_once};
use crate::broker::pause::Pause;
use crate::redis::{CommandError, Connection, Reply, Waited};

/// How long a read blocks: so often messages are looked for whose delay another process has set.
const MOST_BLOCK: Duration = Duration::from_secs(2);

/// The task of one consumer, from its first take until nothing of it is left at the server.
///
/// It calls the server for all that it settles and takes: one call after the other, or two at a time when there is much to
/// do, so that the server always has one. Beside them, when there is nothing to take, is a read that blocks until there is.
pub(super) struct Service {
    pub(super) link: Rc<Link>,
    pub(super) consumer: Rc<Consumer>,
    /// The connection of the read that blocks; gone when the intake is over.
    pub(super) reader: Option<Connection>,
    pub(super) calls: FuturesUnordered<Task<Called>>,
    /// How many messages the calls under way may bring.
    pub(super) asked: usize,
    /// The call under way wants to be alone.
    pub(super) alone: bool,
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
    /// The server refused single settlements; all others go on.
    pub(super) refusals: Pause,
    /// The server refuses to wait.
    pub(super) waits: Pause,
}

pub(super) type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// What came of a call.
pub(super) enum Called {
    Turn(Turn, Result<Reply, CommandError>),
    Held(Result<Vec<(Bytes, Bytes)>, CommandError>),
    Entered(Result<Bytes, CommandError>),
    Left(Result<Reply, CommandError>),
}

pub(super) async fn serve(link: Rc<Link>, consumer: Rc<Consumer>) {
    let mut service = Service {
        reader: Some(link.open_reader(&consumer)),
        link,
        consumer,
        calls: FuturesUnordered::new(),
        asked: 0,
        alone: false,
        wait: None,
        awaited: None,
        look: true,
        lapsed: false,
        strange: false,
        takes: Pause::default(),
        settlements: Pause::default(),
        refusals: Pause::default(),
        waits: Pause::default(),
    };
    while !service.link.ended.get() {
        service.begin();
        let alarm = alarm(service.next_alarm());
        let Service { calls, wait, consumer, .. } = &mut service;
        tokio::select! {
            biased;
            Some(called) = calls.next() => {
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
        if self.consumer.is_cancelled() && self.asked == 0 && self.reader.take().is_some() {
            // A read that was begun can't be taken back: what it takes until the server sees its connection end is ours.
            self.awaited = None;
            if self.wait.take().is_some() {
                self.consumer.unsure.set(true);
            }
            self.consumer.leaving.end_intake();
        }
        self.again();
        if self.calls.is_empty() {
            let call = self.only_call();
            self.calls.extend(call);
        }
        while let Some(turn) = self.next_turn() {
            self.calls.push(turn);
        }
        let idle = !self.look && !self.lapsed && !self.consumer.is_cancelled();
        let rested = self.takes.is_over() && self.waits.is_over();
        if idle && rested && self.wait.is_none() && self.consumer.free() > 0 {
            self.begin_to_wait();
        }
    }

    fn begin_to_wait(&mut self) {
        let (link, consumer) = (self.link.clone(), self.consumer.clone());
        let Some(reader) = &mut self.reader else { return };
        if !link.nodes.is_at(reader, &consumer.keys.list) {
            *reader = link.open_reader(&consumer);
        }
        let reader = reader.clone();
        let turn = self.turn(&[], consumer.free());
        self.awaited = Some(turn.stamp);
        self.wait = Some(Box::pin(async move {
            let block = MOST_BLOCK.min(link.heartbeat());
            let waited =
                reader.wait_and_run(&consumer.keys.list, block, &link.scripts.turn, &turn.keys, &turn.args).await;
            (turn, waited)
        }));
    }

    /// What the server refused waits for the end of the pause, and is then settled like all others.
    fn again(&self) {
        let (mut waiting, mut refused) = (self.consumer.waiting.borrow_mut(), self.consumer.refused.borrow_mut());
        if self.refusals.is_over() {
            waiting.extend(refused.drain(..));
        }
    }

    /// A call beside which there is no other.
    fn only_call(&mut self) -> Option<Task<Called>> {
        let (link, consumer) = (self.link.clone(), self.consumer.clone());
        self.alone = self.wants_to_be_alone();
        if !self.alone {
            return None;
        }
        if consumer.unsure.take() {
            return Some(Box::pin(async move { Called::Held(in_place(&link, &consumer).await) }));
        }
        if self.rests() {
            return Some(Box::pin(async move {
                let keys = [consumer.keys.leases.clone(), consumer.taken.clone()];
                let args = std::slice::from_ref(&consumer.uid_bytes);
                Called::Left(link.run(&link.scripts.leave, &keys, args).await)
            }));
        }
        Some(Box::pin(async move { Called::Entered(consume::enter(&link, &consumer, None).await) }))
    }

    fn wants_to_be_alone(&self) -> bool {
        let lapsed = self.lapsed && !self.consumer.is_cancelled();
        self.takes.is_over() && (self.consumer.unsure.get() || lapsed || self.rests())
    }

    /// Nothing is left to do but to leave.
    fn rests(&self) -> bool {
        self.reader.is_none() && self.consumer.held.borrow().is_empty()
    }

    fn next_turn(&mut self) -> Option<Task<Called>> {
        let consumer = &self.consumer;
        if self.alone || self.wants_to_be_alone() || self.calls.len() >= turns_at_once(consumer.credit()) {
            return None;
        }
        // A second one is worth its cost when it has something to carry.
        let least = if self.calls.is_empty() { 1 } else { consumer.credit() / 4 };
        let look = self.look || consumer.due.get().is_some_and(|due| due <= Instant::now());
        let may_take = look && !self.lapsed && !consumer.is_cancelled() && self.takes.is_over();
        let settles = if self.settlements.is_over() { consumer.waiting.borrow().len() } else { 0 };
        let room = if may_take { consumer.free().saturating_sub(self.asked) } else { 0 };
        if settles.max(room) < least {
            return None;
        }
        let settlements = if settles > 0 { settle::gather(consumer) } else { Vec::new() };
        // What is acknowledged in the same turn makes room for what is taken.
        let turn = self.turn(&settlements, if may_take { room + settlements.len() } else { 0 });
        if may_take {
            consumer.due.set(None);
        }
        self.asked += turn.most;
        consumer.flying.borrow_mut().insert(turn.stamp, settlements);
        let link = self.link.clone();
        Some(Box::pin(async move {
            let reply = link.run(&link.scripts.turn, &turn.keys, &turn.args).await;
            Called::Turn(turn, reply)
        }))
    }

    fn turn(&self, settlements: &[Pending], most: usize) -> Turn {
        let now_ms = self.link.context.env.clock.now_ms();
        Turn::new(&self.consumer, settlements, most, now_ms, self.link.keys_kept())
    }

    /// When there is something to do that nobody tells of.
    fn next_alarm(&self) -> Option<Instant> {
        if !self.calls.is_empty() {
            return None;
        }
        let takes = self.takes.end();
        let may_take = takes.is_none() && !self.consumer.is_cancelled() && self.consumer.free() > 0;
        let due = self.consumer.due.get().filter(|_| may_take);
        [takes, self.settlements.end(), self.refusals.end(), self.waits.end(), due].into_iter().flatten().min()
    }
}
