//! Waiting until nothing is under way any more.

use std::time::Duration;

use formicary::events::Counters;
use formicary::{Group, Queue};
use tokio::time::Instant;

use crate::queues;

/// So long nothing may be under way.
const QUIET: Duration = Duration::from_millis(200);
/// The same on a server that does not tell what other processes have delayed: a mail that failed twice waits for 2 s.
const UNSEEN: Duration = Duration::from_millis(2_500);
/// So long this waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// Returns when for 200 ms on end no signal waited in an inbox of this process, no handler of it ran, and nothing
/// waited, ran or was delayed in the queue; at the latest after 10 s. Where the server does not tell all of that, it takes 2.5 s.
pub async fn quiet(group: &Group) {
    let wait = async {
        let full = group.broker().describe().await.is_ok_and(|broker| broker.capabilities.full_counts);
        let enough = if full { QUIET } else { UNSEEN };
        let mut since = Instant::now();
        let mut seen = happened(group);
        loop {
            tokio::time::sleep(LOOK).await;
            let busy = !group.load().is_idle() || queue_is_busy(group).await;
            let now = happened(group);
            if busy || now != seen {
                (since, seen) = (Instant::now(), now);
            } else if since.elapsed() >= enough {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        tracing::warn!("not everything was done {} s after the last signal: stopping", PATIENCE.as_secs());
    }
}

/// What happened between two looks was under way between them.
fn happened(group: &Group) -> Counters {
    let mut counters = group.events().counters();
    // The sender goes on ticking, with nothing to send.
    counters.remove("handled");
    counters
}

async fn queue_is_busy(group: &Group) -> bool {
    match group.broker().inspect(queues::Mailer::NAME).await {
        Ok(counts) => counts.left() > 0,
        // Not reached: nothing is known of the queue.
        Err(_) => true,
    }
}
