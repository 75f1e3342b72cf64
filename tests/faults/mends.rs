//! A Redis that refuses, until somebody mends it.

use std::time::Duration;

use formicary::{Error, EventKind, SendError};
use formicary_test_support::redis::Server;
use tokio::time::{Instant, sleep_until};
use tracing_subscriber::filter::LevelFilter;

use crate::alone::alone;
use crate::common::*;
use crate::jobs::redis::push;
use crate::ledger::Ledger;
use crate::lines::Lines;
use crate::traffic::Worker;

/// So long it stays broken.
const BROKEN: Duration = Duration::from_secs(5);
/// After so long, everything flows again.
const BACK: Duration = Duration::from_secs(2);

alone! {
    /// A queue whose key becomes another type: one line, no more than two attempts a second, and all is well within 2 s
    /// when it is mended.
    async fn a_key_of_another_type_is_one_line_and_heals() {
        let lines = Lines::gather(LevelFilter::INFO);
        let (server, ledger) = (Server::start().await, Ledger::default());
        let book = ledger.clone();
        let group = group_at(&server.url()).agent(move || Worker(book.clone())).start().await.unwrap();
        push(&server, 0..10).await;
        until(SOON, "the first", async || ledger.open().done.len() == 10).await;
        let begun = Instant::now();
        server.command(&["SET", "jobs", "no list"]).await.unwrap();
        // The time in which it must not spin.
        sleep_until(begun + BROKEN).await;
        let attempts = errors(&server, "WRONGTYPE").await;
        println!("measured: {attempts} attempts in {BROKEN:?}");
        assert!((1..=2 * BROKEN.as_secs() + 5).contains(&attempts), "{attempts} attempts");
        assert_eq!(lines.with(&["WRONGTYPE"]), 1, "{}", lines.text());
        server.command(&["DEL", "jobs"]).await.unwrap();
        push(&server, 10..20).await;
        until(BACK, "the others", async || ledger.open().done.len() == 20).await;
        assert_eq!(group.events().count(EventKind::Disconnected), 0);
        assert_eq!(group.stop().await.code(), 0);
    }

    /// A Redis without memory: sends fail and say so, and what fills it is handled all the same. It heals by itself.
    async fn a_redis_without_memory_is_emptied_by_its_consumers() {
        const FILL: u64 = 5_000;
        let (server, ledger) = (Server::start().await, Ledger::default());
        push(&server, 0..FILL).await;
        server.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
        let lines = Lines::gather(LevelFilter::INFO);
        let book = ledger.clone();
        let group = group_at(&server.url()).agent(move || Worker(book.clone())).start().await.unwrap();
        let error = group.broker().send::<Job>(&Job { n: FILL }).await.unwrap_err();
        assert!(matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("OOM")), "{error}");
        until(LONG, "all that was there", async || group.events().count(EventKind::Consumed) == FILL).await;
        assert_eq!(ledger.open().done.len() as u64, FILL);
        assert!(lines.with(&["WARN"]) <= 1, "{}", lines.text());
        server.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
        group.broker().send::<Job>(&Job { n: FILL }).await.unwrap();
        until(BACK, "the last", async || ledger.open().done.contains_key(&FILL)).await;
        let counts = group.broker().inspect("jobs").await.unwrap();
        assert_eq!((counts.left(), counts.dead), (0, 0));
        assert_eq!(group.stop().await.code(), 0);
    }
}

/// How often the server has answered so.
async fn errors(server: &Server, kind: &str) -> u64 {
    let info = server.command(&["INFO", "errorstats"]).await.unwrap().text().unwrap();
    let counted = info.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{kind}:count=")));
    counted.map_or(0, |count| count.trim().parse().unwrap())
}
