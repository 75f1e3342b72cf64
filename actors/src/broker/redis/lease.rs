//! Leases: who lives raises a counter, and what a counter that stands still belongs to is reclaimed.
//!
//! No wall clock enters. A counter must have stood still for a whole lease of our own time, seen over one unbroken
//! connection: an outage, or an answer that does not come, begins the wait anew.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Bytes;
use tokio::time::{Instant, sleep_until};

use super::connection::Link;
use super::consumer::Consumer;
use super::reclaim::reclaim;
use crate::redis::{CommandError, Reply};

/// The counters of a queue's consumers, as they were seen over one connection.
#[derive(Default)]
struct Counters {
    of: BTreeMap<Bytes, Counter>,
    connection: (u64, u64),
}

struct Counter {
    value: Bytes,
    /// The server had answered with that value by then.
    since: Instant,
    /// It was asked then for the last time, and answered with that value again.
    until: Instant,
}

/// Raises the counters of our consumers of a queue, and watches those of all others, as long as we have a consumer there.
pub(super) fn watch(link: &Rc<Link>, queue: &Arc<str>) {
    if link.watched.borrow_mut().insert(queue.clone()) {
        actix_rt::spawn(run(link.clone(), queue.clone()));
    }
}

async fn run(link: Rc<Link>, queue: Arc<str>) {
    let mut counters = Counters::default();
    let lease = link.lease();
    loop {
        let next = Instant::now() + lease / 3;
        let ours = link.consumers_of(&queue);
        let Some(first) = ours.first() else { break };
        if let Err(error) = look(&link, &ours, &mut counters).await {
            counters = Counters::default();
            if let CommandError::Refused { message, .. } = error {
                link.say(
                    "leases refused",
                    first,
                    &format!("the server refuses to raise leases: {message}; trying again"),
                );
            }
        }
        for (uid, counter) in counters.dead(lease) {
            reclaim(&link, first, &uid, counter).await;
        }
        // One that stands still is looked at when its lease is over, and not only at the next turn.
        let next = counters.of.values().map(|counter| counter.since + lease).fold(next, Instant::min);
        tokio::select! {
            biased;
            () = link.consumer_left.notified() => {}
            () = sleep_until(next) => {}
        }
    }
    link.watched.borrow_mut().remove(&queue);
}

/// Raises ours, and notes all others.
async fn look(link: &Link, ours: &[Rc<Consumer>], counters: &mut Counters) -> Result<(), CommandError> {
    let asked = Instant::now();
    let Some(first) = ours.first() else { return Ok(()) };
    let uids: Vec<_> = ours.iter().map(|consumer| consumer.uid_bytes.clone()).collect();
    let answer = link.run(&link.scripts.lease, std::slice::from_ref(&first.keys.leases), &uids).await?;
    let all = answer.list().and_then(|mut list| list.pop()).and_then(Reply::list).unwrap_or_default();
    let mut all = all.into_iter().filter_map(Reply::bytes);
    let mut seen = Vec::new();
    while let (Some(uid), Some(counter)) = (all.next(), all.next()) {
        if !uids.contains(&uid) {
            seen.push((uid, counter));
        }
    }
    counters.note(seen, link.nodes.of(&first.keys.leases).generation(), asked);
    Ok(())
}

impl Counters {
    /// Notes what was seen over a connection, asked for at `asked` and answered now.
    fn note(&mut self, seen: Vec<(Bytes, Bytes)>, connection: (u64, u64), asked: Instant) {
        let mut before = std::mem::take(&mut self.of);
        if connection != self.connection {
            before.clear();
        }
        self.connection = connection;
        let now = Instant::now();
        for (uid, value) in seen {
            let counter = match before.remove(&uid) {
                Some(counter) if counter.value == value => Counter { until: asked, ..counter },
                _ => Counter { value, since: now, until: now },
            };
            self.of.insert(uid, counter);
        }
    }

    /// Takes out those that have stood still for a whole lease.
    fn dead(&mut self, lease: Duration) -> Vec<(Bytes, Bytes)> {
        let mut dead = Vec::new();
        self.of.retain(|uid, counter| {
            let lives = counter.until.saturating_duration_since(counter.since) < lease;
            if !lives {
                dead.push((uid.clone(), counter.value.clone()));
            }
            lives
        });
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn see(counters: &mut Counters, counter: &'static str, connection: (u64, u64)) -> bool {
        counters.note(vec![("a".into(), counter.into())], connection, Instant::now());
        !counters.dead(LEASE).is_empty()
    }

    async fn after(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_counter_that_stands_still_for_a_lease_is_that_of_a_dead_consumer() {
        let mut counters = Counters::default();
        assert!(!see(&mut counters, "1", (0, 1)));
        after(14).await;
        assert!(!see(&mut counters, "1", (0, 1)));
        after(1).await;
        assert!(see(&mut counters, "1", (0, 1)));
        assert!(!see(&mut counters, "1", (0, 1)), "forgotten, and seen anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_counter_that_moved_and_an_outage_begin_the_wait_anew() {
        let mut counters = Counters::default();
        assert!(!see(&mut counters, "1", (0, 1)));
        after(15).await;
        assert!(!see(&mut counters, "2", (0, 1)));
        after(14).await;
        assert!(!see(&mut counters, "2", (0, 2)), "another connection");
        after(14).await;
        assert!(!see(&mut counters, "2", (0, 2)));
        after(1).await;
        assert!(see(&mut counters, "2", (0, 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_an_answer_on_its_way_does_not_count() {
        let mut counters = Counters::default();
        assert!(!see(&mut counters, "1", (0, 1)));
        let asked = Instant::now() + Duration::from_secs(14);
        after(20).await;
        counters.note(vec![("a".into(), "1".into())], (0, 1), asked);
        assert!(counters.dead(LEASE).is_empty());
    }
}
