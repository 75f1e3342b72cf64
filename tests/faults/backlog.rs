//! More messages than fit into memory would, if they were taken.

use std::num::NonZeroUsize;
use std::time::Duration;

use formicary::EventKind;
use formicary::prelude::*;
use formicary_test_support::redis::Server;

use crate::alone::alone;
use crate::common::*;
use crate::jobs::redis::push_bodies;
use crate::rss::{self, MIB};

const QUEUED: u64 = 100_000;
/// Of each body: in all 100 MB.
const PADDING: usize = 1_000;

struct Slow;

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| {
                tokio::time::sleep(Duration::from_millis(50)).await;
            })
            .concurrency(NonZeroUsize::new(16).unwrap());
    }
}

alone! {
    /// 100,000 messages queued behind a slow handler wait at the broker: memory stays flat.
    async fn what_waits_for_a_slow_handler_waits_at_the_broker() {
        let server = Server::start().await;
        let group = group_at(&server.url()).agent(|| Slow).start().await.unwrap();
        // What the first message needs once, it has.
        push_bodies(&server, &[r#"{"n": 0}"#.to_owned()]).await;
        until(SOON, "the first", async || group.events().count(EventKind::Consumed) == 1).await;
        let body = format!(r#"{{"n": 1, "pad": "{}"}}"#, "x".repeat(PADDING));
        let some = vec![body; 1_000];
        // The test's own memory of what it pushes.
        push_bodies(&server, &some).await;
        let before = rss::now();
        for _ in 1..QUEUED / 1_000 {
            push_bodies(&server, &some).await;
        }
        until(LONG, "600 to be handled", async || group.events().count(EventKind::Consumed) > 600).await;
        let grown = rss::peak().saturating_sub(before);
        let counts = group.broker().inspect("jobs").await.unwrap();
        println!("measured: {} waiting, {} in flight, {} KiB more at the peak", counts.waiting, counts.in_flight, grown / 1024);
        assert!(counts.in_flight <= 16 && counts.waiting > QUEUED * 9 / 10, "{counts:?}");
        assert!(grown < 8 * MIB, "{} KiB", grown / 1024);
        group.stop().await;
    }
}
