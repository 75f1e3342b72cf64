use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use formicary_protocol::{Bytes, DeadReason, Entry};
use tokio::time::{Instant, sleep_until};

use super::connection::Link;
use super::consume;
use super::consumer::Consumer;
use super::field::Field;
use super::pause::Pause;
use super::pending::Pending;
use super::settle;
use super::turn::{Answer, Turn};
use crate::contract::{Outcome, Settlement};
use crate::redis::{CommandError, Connection, Reply, Waited};

/// How long a read blocks: so often messages are looked for whose delay another process has set.
const MOST_BLOCK: Duration = Duration::from_secs(2);

/// The task of one consumer, from its first take until nothing of it is left at the server.
///
/// It has one call of the server under way for all that it settles and takes, and beside it, when there is nothing to take, a
/// read that blocks until there is.
struct Service {
    link: Rc<Link>,
    consumer: Rc<Consumer>,
    /// The connection of the read that blocks; gone when the intake is over.
    reader: Option<Connection>,
    call: Option<Task<Called>>,
    wait: Option<Task<(Turn, Result<Waited, CommandError>)>>,
    /// The stamp of what that read takes.
    awaited: Option<u64>,
    /// There may be something to take.
    look: bool,
    /// Our lease has run out.
    lapsed: bool,
    /// The place was asked for what we do not know, and has nothing of ours; and still it is not empty.
    strange: bool,
    takes: Pause,
    settlements: Pause,
}

type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// What came of a call.
enum Called {
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

    /// Returns whether this was the last one.
    fn called(&mut self, called: Called) -> bool {
        match called {
            Called::Turn { turn, took, reply } => self.turned(&turn, took, reply),
            Called::Held(Ok(reply)) => self.recovered(reply),
            Called::Entered(Ok(_)) => (self.lapsed, self.look) = (false, true),
            Called::Left(Ok(reply)) => {
                if self.strange || reply.int() == Some(1) {
                    return true;
                }
                self.consumer.unsure.set(true);
            }
            Called::Held(Err(error)) => {
                self.consumer.unsure.set(true);
                self.failed(&error);
            }
            Called::Entered(Err(error)) | Called::Left(Err(error)) => self.failed(&error),
        }
        false
    }

    fn failed(&mut self, error: &CommandError) {
        self.refused(error);
        self.takes.lengthen();
    }

    fn turned(&mut self, turn: &Turn, took: bool, reply: Result<Reply, CommandError>) {
        let unclear = || CommandError::Unknown("the answer to a turn is not understood".to_owned());
        match reply.and_then(|reply| turn.read(reply).ok_or_else(unclear)) {
            Ok(answer) => {
                settle::tell(&self.link, &self.consumer, &answer);
                match self.consumer.refused.borrow().is_empty() {
                    true => self.settlements = Pause::default(),
                    false => self.settlements.lengthen(),
                }
                if took {
                    self.look = answer.more;
                }
                self.took(answer, took);
            }
            Err(error) => {
                if took {
                    self.look = true;
                    self.takes.lengthen();
                    self.may_have_taken(&error);
                }
                if !self.consumer.flying.borrow().is_empty() {
                    self.settlements.lengthen();
                    settle::put_back(&self.consumer, &error);
                }
                self.refused(&error);
            }
        }
    }

    fn waited(&mut self, turn: &Turn, waited: Result<Waited, CommandError>) {
        let unclear = || CommandError::Unknown("the answer to a turn is not understood".to_owned());
        let (refusal, ran) = match waited {
            Ok(Waited { refusal: Some(error), .. }) if self.moved(&error) => return,
            Ok(Waited { refusal, ran }) => (refusal, ran),
            Err(error) => (None, Err(error)),
        };
        match ran.and_then(|reply| turn.read(reply).ok_or_else(unclear)) {
            Ok(answer) => {
                self.look |= answer.more;
                self.took(answer, true);
            }
            // A script that the server has forgotten is sent to it by a call.
            Err(error) => {
                self.look = true;
                self.may_have_taken(&error);
                if !error.has_code("NOSCRIPT") {
                    self.refused(&error);
                }
            }
        }
        // A server that is out of memory does not block, and still lets us take: so we look from time to time.
        if let Some(refusal) = refusal {
            self.look = true;
            self.takes.lengthen();
            self.refused(&refusal);
        }
    }

    /// The node that was asked has the queue not, or no longer.
    fn moved(&mut self, error: &CommandError) -> bool {
        let moved = self.reader.is_some() && self.link.nodes.moved(error);
        if moved {
            self.reader = Some(self.link.open_reader(&self.consumer));
            self.look = true;
        }
        moved
    }

    fn may_have_taken(&self, error: &CommandError) {
        if matches!(error, CommandError::Unknown(_)) {
            self.consumer.unsure.set(true);
        }
    }

    /// Notes what a turn took, and what it tells.
    fn took(&mut self, answer: Answer, took: bool) {
        let (link, consumer) = (&self.link, &self.consumer);
        if !answer.alive && !self.lapsed && !consumer.is_cancelled() {
            self.lapsed = true;
            consumer.lost_all();
            link.say("lease lost", consumer, "its lease ran out: what it held is given to others");
        }
        if answer.forgotten > 0 {
            link.say(
                "keys forgotten",
                consumer,
                "too many keys of `dedup` are remembered: the oldest are forgotten early",
            );
        }
        let found = answer.entries.len() + answer.bodies.len();
        match answer.wrong {
            Some(wrong) => {
                link.say("queue refused", consumer, &format!("{wrong}; trying again"));
                if took && found == 0 {
                    self.look = true;
                    self.takes.lengthen();
                }
            }
            None if took => self.takes = Pause::default(),
            None => {}
        }
        let now = Instant::now();
        deliver(link, consumer, answer.entries, answer.bodies);
        // One that was given up and ran late: nothing may stay there unknown. What a read brings is known soon.
        if self.wait.is_none() && answer.in_place > consumer.held.borrow().len() {
            consumer.unsure.set(true);
        }
        if let Some(wait) = answer.due_in {
            consumer.due_at(now + Duration::from_millis(wait));
        }
    }

    /// Delivers what is in our place without our knowing. What a read that is under way has taken comes with its answer.
    fn recovered(&mut self, reply: Reply) {
        let mut values =
            reply.list().and_then(|mut list| list.pop()).and_then(Reply::list).unwrap_or_default().into_iter();
        let (mut entries, mut bodies) = (Vec::new(), Vec::new());
        while let (Some(Reply::Bytes(field)), Some(Reply::Bytes(value))) = (values.next(), values.next()) {
            match Field::parse(&field).filter(|field| !self.consumer.knows(*field) && !self.awaits(*field)) {
                Some(field) if field.is_fresh() => bodies.push((field, value)),
                Some(field) => entries.push((field, value)),
                None => {}
            }
        }
        entries.sort_by_key(|(field, _)| *field);
        bodies.sort_by_key(|(field, _)| *field);
        self.strange = self.reader.is_none() && entries.is_empty() && bodies.is_empty();
        self.look = true;
        deliver(&self.link, &self.consumer, entries, bodies);
    }

    fn awaits(&self, field: Field) -> bool {
        self.awaited == Some(field.taken_at_ms())
    }

    /// The connection tells of its outages itself; this is for what the server says.
    fn refused(&self, error: &CommandError) {
        if let CommandError::Refused { message, .. } = error {
            let text = format!("the server refuses to settle and to give messages: {message}; trying again");
            self.link.say("queue refused", &self.consumer, &text);
        }
    }
}

fn deliver(link: &Link, consumer: &Consumer, entries: Vec<(Field, Bytes)>, bodies: Vec<(Field, Bytes)>) {
    let now_ms = link.context.env.clock.now_ms();
    let mut aside = Vec::new();
    for (field, bytes) in entries {
        let (delivered, readable) = match Entry::decode(&bytes) {
            Ok(entry) => (consumer.hold_entry(field, entry), true),
            Err(_) => (consumer.hold_fresh(field, now_ms, bytes), false),
        };
        match readable {
            true if !consumer.is_cancelled() => consumer.inlet.deliver(delivered),
            true => aside.push(Settlement::new(delivered.token, Outcome::Return)),
            false => {
                aside.push(Settlement::new(delivered.token, Outcome::Dead { reason: DeadReason::Undecodable }));
            }
        }
    }
    for (field, body) in bodies {
        let delivered = consumer.hold_fresh(field, now_ms, alone(body));
        match consumer.is_cancelled() {
            false => consumer.inlet.deliver(delivered),
            true => aside.push(Settlement::new(delivered.token, Outcome::Return)),
        }
    }
    if !aside.is_empty() {
        settle::settle(link, consumer, aside.into(), None);
    }
}

/// A small body must not keep the whole answer in memory in which it came.
fn alone(body: Bytes) -> Bytes {
    const SMALL: usize = 4 << 10;
    if body.len() <= SMALL { Bytes::copy_from_slice(&body) } else { body }
}
