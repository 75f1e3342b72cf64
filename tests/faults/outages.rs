//! The server goes away under load and comes back.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::alone::alone_on_servers;
use crate::common::*;
use crate::lines::Lines;
use crate::server::{Kind, Server};
use crate::traffic::Traffic;

/// After so long, everything flows again.
const BACK: Duration = Duration::from_secs(2);
/// After so long, a connection that says nothing is given up.
const FOUND: Duration = Duration::from_secs(10);

alone_on_servers! {
    the_server_is_stopped_for_3_s,
    the_server_is_stopped_for_15_s,
    the_server_is_killed_and_restarted,
    the_server_stands_still_for_3_s,
    the_server_stands_still_for_15_s,
}

/// The server is stopped for 3 s: within 2 s of its return everything flows again, and meanwhile calls and sends end cleanly.
async fn the_server_is_stopped_for_3_s(kind: Kind) {
    away(kind, Duration::from_secs(3), async |server| server.stop().await).await;
}

/// The server is stopped for 15 s, longer than any deadline: nothing hangs, and nothing goes out after its deadline.
async fn the_server_is_stopped_for_15_s(kind: Kind) {
    away(kind, Duration::from_secs(15), async |server| server.stop().await).await;
}

/// The server is killed and started again: no message that it had accepted is lost when its data survives.
async fn the_server_is_killed_and_restarted(kind: Kind) {
    away(kind, Duration::from_millis(500), async |server| server.kill().await).await;
}

/// The server stands still for 3 s: that is no outage yet, everything waits and goes on.
async fn the_server_stands_still_for_3_s(kind: Kind) {
    let server = kind.start_alone().await;
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

/// The server stands still for 15 s: found within 10 s, told once, and all is back within 2 s of its return.
async fn the_server_stands_still_for_15_s(kind: Kind) {
    let lines = Lines::gather(LevelFilter::INFO);
    let server = kind.start_alone().await;
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

/// Takes the server away for a time, and looks at everything.
async fn away(kind: Kind, time: Duration, take: impl AsyncFnOnce(&mut Server)) {
    let lines = Lines::gather(LevelFilter::INFO);
    let mut server = kind.start_alone().await;
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
    for link in ["bus", "broker"] {
        assert_eq!(lines.with(&[&format!("{link}: no connection to")]), 1, "{}", lines.text());
        assert_eq!(lines.with(&[&format!("{link}: connected to"), "again"]), 1, "{}", lines.text());
    }
    assert_eq!(lines.with(&["lapin::"]), 0, "the driver tells it too: {}", lines.text());
}

/// The AMQP broker consumes on a connection of its own. When nothing but that is lost, this is an outage of the broker like
/// any other, with its event and its line.
#[test]
fn the_loss_of_the_connection_that_consumes_is_told_too() {
    let test = concat!(module_path!(), "::the_loss_of_the_connection_that_consumes_is_told_too");
    crate::alone::run(test, Kind::RabbitMq, async |kind| {
        let lines = Lines::gather(LevelFilter::INFO);
        let server = kind.start().await;
        let traffic = Traffic::start(group_at(&server.url())).await;
        traffic.flows_within(SOON).await;
        server.place().await.close_connections_named("formicary:broker-consumers").await;
        until(SOON, "its loss and its return", async || traffic.losses() == (1, 1)).await;
        traffic.flows_within(BACK).await;
        traffic.settle().await;
        assert_eq!(lines.with(&["broker: no connection to"]), 1, "{}", lines.text());
        assert_eq!(lines.with(&["broker: connected to", "again"]), 1, "{}", lines.text());
        assert_eq!(lines.with(&["lapin::"]), 0, "the driver tells it too: {}", lines.text());
    });
}
