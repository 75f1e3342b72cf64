//! Order by key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use tokio::time::sleep;

use super::cast::Job;
use super::stage::Stage;
use super::taker::{SOON, many};
use crate::left_out::Verdict;
use crate::wait::until;

const KEYS: u64 = 3;
const EACH: u64 = 40;
/// A job's number is its key so many times, and its place among those of its key.
const APART: u64 = 100;

/// What has happened to the jobs of each key.
#[derive(Default)]
struct Seen {
    running: usize,
    most: usize,
    order: Vec<u64>,
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<BTreeMap<u64, Seen>>>);

impl Book {
    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> u64 {
        self.open().len() as u64
    }
}

fn key(job: &Job) -> u64 {
    job.n / APART
}

struct Ordered(Book);

impl Agent for Ordered {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let work = async |me: &Self, job: Job, ()| {
            let (key, n) = (key(&job), job.n % APART);
            {
                let mut book = me.0.open();
                let seen = book.entry(key).or_default();
                seen.running += 1;
                seen.most = seen.most.max(seen.running);
                seen.order.push(n);
            }
            // The first of each key waits for those of the others: they end only side by side.
            while me.0.keys() < KEYS {
                sleep(Duration::from_millis(1)).await;
            }
            // The later ones are quicker: who does not wait for its turn overtakes.
            sleep(Duration::from_millis(4_u64.saturating_sub(n % 5))).await;
            me.0.open().entry(key).or_default().running -= 1;
        };
        agent.consumer::<Job, _, _, _, _>("work", work).concurrency(many(8)).by(key);
    }
}

/// With `by`, messages of one key are handled in the order in which they were sent and never two at a time, while those of
/// other keys are handled beside them.
pub(crate) async fn messages_of_one_key_keep_their_order_and_keys_go_side_by_side(stage: &mut Stage) -> Verdict {
    stage.promises("order within a queue", |promises| promises.in_order)?;
    let book = Book::default();
    let sender = stage.broker();
    for n in 0..EACH {
        for key in 0..KEYS {
            sender.send::<Job>(&Job { n: key * APART + n }).await.unwrap();
        }
    }
    let seen = book.clone();
    let group = stage.group().agent(move || Ordered(seen.clone())).start().await.unwrap();
    let events = group.events();
    until(SOON, "all jobs", async || events.count(EventKind::Consumed) == KEYS * EACH).await;
    for (key, seen) in &*book.open() {
        assert_eq!(seen.order, (0..EACH).collect::<Vec<_>>(), "the order of key {key}");
        assert_eq!(seen.most, 1, "at once of key {key}");
    }
    group.stop().await;
    Ok(())
}
