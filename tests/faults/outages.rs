//! Redis goes away under load and comes back.

use std::time::Duration;

use formicary_test_support::redis::Server;
use tokio::time::{Instant, sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::alone::alone;
use crate::common::*;
use crate::lines::Lines;
use crate::traffic::Traffic;

/// After so long, everything flows again.
const BACK: Duration = Duration::from_secs(2);
/// After so long, a connection that says nothing is given up.
const FOUND: Duration = Duration::from_secs(10);

alone! {
    /// Redis is stopped for 3 s: within 2 s of its return everything flows again, and meanwhile calls and sends end cleanly.
    async fn redis_is_stopped_for_3_s() {
        away(Duration::from_secs(3), async |server| server.stop().await).await;
    }

    /// Redis is stopped for 15 s, longer than any deadline: nothing hangs, and nothing goes out after its deadline.
    async fn redis_is_stopped_for_15_s() {
        away(Duration::from_secs(15), async |server| server.stop().await).await;
    }

    /// Redis is killed and started again: no message that it had accepted is lost when its data survives.
    async fn redis_is_killed_and_restarted() {
        away(Duration::from_millis(500), async |server| server.kill().await).await;
    }

    /// Redis stands still for 3 s: that is no outage yet, everything waits and goes on.
    async fn redis_stands_still_for_3_s() {
        let server = Server::options().append_only().start().await;
        let traffic = Traffic::start(group_at(&server.url())).await;
        traffic.flows_within(SOON).await;
        server.pause();
        sleep(Duration::from_secs(3)).await;
        server.resume();
        let back = traffic.flows_within(BACK).await;
        traffic.settle().await;
        let ledger = traffic.ledger.open();
        println!("measured: back after {back:?}; {}", ledger.failures());
        ledger.calls_ended_cleanly();
        ledger.sends_ended_cleanly();
        assert_eq!(traffic.losses(), (0, 0));
    }

    /// Redis stands still for 15 s: found within 10 s, told once, and all is back within 2 s of its return.
    async fn redis_stands_still_for_15_s() {
        let lines = Lines::gather(LevelFilter::INFO);
        let server = Server::options().append_only().start().await;
        let traffic = Traffic::start(group_at(&server.url())).await;
        traffic.flows_within(SOON).await;
        let begun = Instant::now();
        server.pause();
        until(FOUND, "the loss of both connections", async || traffic.losses() == (2, 0)).await;
        let found = begun.elapsed();
        // The outage itself.
        tokio::time::sleep_until(begun + Duration::from_secs(15)).await;
        server.resume();
        let back = traffic.flows_within(BACK).await;
        traffic.settle().await;
        let ledger = traffic.ledger.open();
        println!("measured: found after {found:?}, back after {back:?}; {}", ledger.failures());
        ledger.calls_ended_cleanly();
        // What was handed to it before it was found missing may still go out when it wakes: those publishes said so.
        ledger.sends_ended_cleanly();
        told_once(&traffic, lines);
    }
}

/// Takes Redis away for a time, and looks at everything.
async fn away(time: Duration, take: impl AsyncFnOnce(&mut Server)) {
    let lines = Lines::gather(LevelFilter::INFO);
    let mut server = Server::options().append_only().start().await;
    let traffic = Traffic::start(group_at(&server.url())).await;
    traffic.flows_within(SOON).await;
    let begun = Instant::now();
    take(&mut server).await;
    until(BACK, "the loss of both connections", async || traffic.losses().0 == 2).await;
    // The outage itself.
    tokio::time::sleep_until(begun + time).await;
    server.restart().await;
    let back = traffic.flows_within(BACK).await;
    traffic.settle().await;
    let ledger = traffic.ledger.open();
    println!("measured: back after {back:?}; {}", ledger.failures());
    // What begins in an outage waits for its end within its own deadline, so a short one fails next to nothing.
    let long = time > Duration::from_secs(10);
    assert!(!long || ledger.calls.iter().any(|call| call.result.is_err()), "the outage met no call");
    ledger.calls_ended_cleanly();
    ledger.sends_ended_cleanly();
    ledger.no_signal_was_late();
    told_once(&traffic, lines);
}

/// One event and one line when a link goes, one of each when it is back.
fn told_once(traffic: &Traffic, lines: &Lines) {
    assert_eq!(traffic.losses(), (2, 2), "{}", lines.text());
    for link in ["bus: ", "broker: "] {
        assert_eq!(lines.with(&[link, "no connection to"]), 1, "{}", lines.text());
        assert_eq!(lines.with(&[link, "connected to", "again"]), 1, "{}", lines.text());
    }
}
