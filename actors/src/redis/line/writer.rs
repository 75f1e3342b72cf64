//! The task behind a line: it writes what waits, and shares the answers out.

use super::{
    Job,
    parcel::{Answer, Parcel},
    queue::{Numbered, Queue},
};
use crate::redis::{
    CommandError,
    error::{Fate, fate},
    gate::Permit,
};
use fred::{error::Error as FredError, interfaces::ClientLike, types::config::Options};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// Deadlines are looked at no more often than this, however many there are.
const TICK: Duration = Duration::from_millis(5);

/// Among so many parcels of one turn a command looks for its own.
const LOOKED_AT: usize = 8;

/// A parcel and the jobs in it.
type Packed<J> = (Parcel, Vec<Numbered<J>>);

pub(super) async fn run<J: Job>(queue: Rc<Queue<J>>) {
    let mut out = FuturesUnordered::new();
    let mut parcels = 0;
    let mut turn = pin!(turn(&queue));
    let mut rang = Instant::now();
    let mut alarm = pin!(sleep_until(rang));
    loop {
        tokio::select! {
            biased;
            () = poll_fn(|cx| queue.poll_over(cx)) => return,
            Some((parcel, sent)) = out.next() => came_back(&queue, parcel, sent),
            () = poll_fn(|cx| poll_alarm(&queue, alarm.as_mut(), rang + TICK, cx)) => {
                rang = Instant::now();
                queue.sweep(rang);
            }
            permit = &mut turn => {
                match permit {
                    Ok(permit) => {
                        let permit = Rc::new(permit);
                        let now = Instant::now();
                        for (parcel, jobs) in pack(&queue, &permit, now) {
                            let options = options(&jobs, now);
                            parcels += 1;
                            queue.went_out(parcels, jobs);
                            out.push(send(parcels, parcel, options, permit.clone()));
                        }
                        queue.ended_some();
                    }
                    Err(error) => queue.refuse_all(&error),
                }
                turn.set(self::turn(&queue));
            }
        }
    }
}

/// Ready at the first deadline. It may have come nearer since the last poll.
fn poll_alarm<J: Job>(
    queue: &Queue<J>,
    mut alarm: Pin<&mut Sleep>,
    earliest: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(deadline) = queue.alarm() else { return Poll::Pending };
    let at = deadline.max(earliest);
    if alarm.deadline() != at {
        alarm.as_mut().reset(at);
    }
    alarm.poll(cx)
}

/// Waits for something to write and for a connection to write it to.
async fn turn<J: Job>(queue: &Queue<J>) -> Result<Permit, CommandError> {
    loop {
        // No waker: what changes the queue wakes the writer's task, which asks everything again.
        poll_fn(|_| if queue.has_work() { Poll::Ready(()) } else { Poll::Pending }).await;
        let mut entered = pin!(queue.connection().shared.gate.enter_whenever());
        // A line whose jobs were all given up leaves the gate, which others may wait to see empty.
        let permit = poll_fn(|cx| match entered.as_mut().poll(cx) {
            Poll::Pending if !queue.has_work() => Poll::Ready(None),
            polled => polled.map(Some),
        });
        if let Some(permit) = permit.await {
            return permit;
        }
    }
}

/// What goes out now, in as few parcels as keep the order of what has one to keep.
fn pack<J: Job>(queue: &Queue<J>, permit: &Permit, now: Instant) -> Vec<Packed<J>> {
    let settings = &queue.connection().shared.settings;
    let mut packed: Vec<Packed<J>> = Vec::new();
    for mut one in queue.take(now) {
        if !one.job.ready(permit.waited) {
            one.job.end(Err(CommandError::NotSent("its sender has given it up".to_owned())));
            continue;
        }
        let command = one.job.command();
        let latest = packed.iter_mut().rev().take(LOOKED_AT).find(|(parcel, _)| parcel.is_for(&command));
        match latest.filter(|(parcel, _)| parcel.has_room(&command, settings, permit.wire.runs_scripts)) {
            Some((parcel, jobs)) => {
                parcel.add(command);
                jobs.push(one);
            }
            None => packed.push((Parcel::new(command), vec![one])),
        }
    }
    packed
}

/// The driver's own timeout marks a parcel that still lies in its queue then, so that it is not written any more.
fn options<J: Job>(jobs: &[Numbered<J>], now: Instant) -> Options {
    let last = jobs.iter().map(|one| one.job.deadline()).max().unwrap_or(now);
    let left = last.saturating_duration_since(now).max(Duration::from_millis(1));
    Options { timeout: Some(left), max_attempts: Some(1), ..Options::default() }
}

async fn send(number: u64, parcel: Parcel, options: Options, permit: Rc<Permit>) -> (u64, Result<Answer, FredError>) {
    (number, parcel.send(permit.wire.client.with_options(&options)).await)
}

fn came_back<J: Job>(queue: &Queue<J>, parcel: u64, sent: Result<Answer, FredError>) {
    let jobs = queue.came_back(parcel);
    let shared = &queue.connection().shared;
    let error = match sent.map_err(|error| fate(&error)) {
        Ok(answer) => {
            shared.saw_activity();
            return share_out(jobs, answer);
        }
        Err(Fate::Refused(text)) => {
            shared.saw_activity();
            let error = CommandError::refused(&text);
            shared.break_if_demoted(&error);
            error
        }
        Err(Fate::Unknown(text)) => CommandError::Unknown(text),
        Err(Fate::Unwritten) => {
            let (again, never): (Vec<_>, Vec<_>) = jobs.into_iter().flatten().partition(|one| one.job.again());
            queue.put_back(again);
            let error = CommandError::NotSent("the connection was lost".to_owned());
            return never.into_iter().for_each(|one| one.job.end(Err(error.clone())));
        }
    };
    jobs.into_iter().flatten().for_each(|one| one.job.end(Err(error.clone())));
}

fn share_out<J: Job>(jobs: Vec<Option<Numbered<J>>>, answer: Answer) {
    let mut each = match answer {
        Answer::Each(each) => each.into_iter(),
        Answer::All(one) => return jobs.into_iter().flatten().for_each(|job| job.job.end(one.clone())),
    };
    for job in jobs {
        let missing = || Err(CommandError::Unknown("the server's answer is too short".to_owned()));
        let outcome = each.next().unwrap_or_else(missing);
        if let Some(one) = job {
            one.job.end(outcome);
        }
    }
}
