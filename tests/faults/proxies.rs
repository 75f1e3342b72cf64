//! A network that resets, delays and swallows.

use std::time::Duration;

use formicary_test_support::proxy::{Mode, Proxy};
use tokio::time::Instant;

use crate::common::*;
use crate::ledger::Ledger;
use crate::server::{Kind, Server};
use crate::traffic::{Traffic, Worker};

on_servers! {
    a_reset_connection_is_replaced,
    a_slow_network_is_no_outage,
    a_group_starts_over_a_slow_network,
    a_server_that_is_not_heard_is_found_within_10_s,
    a_server_that_does_not_hear_is_found_within_10_s,
    an_idle_connection_in_a_black_hole_is_found_within_10_s,
}

const BACK: Duration = Duration::from_secs(2);
const FOUND: Duration = Duration::from_secs(10);

/// A server, a proxy in front of it, and its URL by the proxy.
async fn behind_a_proxy(kind: Kind) -> (Server, Proxy, String) {
    let server = kind.start().await;
    let proxy = Proxy::start(server.port()).await;
    let url = server.url_by(proxy.port());
    (server, proxy, url)
}

/// A connection that is reset is replaced at once, and refused attempts go on until one succeeds.
async fn a_reset_connection_is_replaced(kind: Kind) {
    let (_server, proxy, url) = behind_a_proxy(kind).await;
    let traffic = Traffic::start(group_at(&url)).await;
    for round in 1..=3 {
        traffic.flows_within(SOON).await;
        proxy.refuse().await;
        proxy.drop_all().await;
        until(SOON, "the loss of both", async || traffic.losses().0 == 2 * round).await;
        proxy.accept().await;
        traffic.flows_within(BACK).await;
    }
    traffic.settle().await;
    let ledger = traffic.ledger.open();
    ledger.calls_ended_cleanly();
    ledger.sends_ended_cleanly();
    ledger.no_signal_was_late();
}

/// A network that takes 400 ms each way delays everything and fails nothing.
async fn a_slow_network_is_no_outage(kind: Kind) {
    let (_server, proxy, url) = behind_a_proxy(kind).await;
    // A consumer handles 16 messages in one round trip for the take and one for the settlement: ten a second.
    let traffic = Traffic::start_with(group_at(&url), Duration::from_millis(250)).await;
    traffic.flows_within(SOON).await;
    proxy.set(Mode::Delay(Duration::from_millis(400)));
    // The second time, everything that was seen had begun when it was slow already.
    traffic.flows_within(SOON).await;
    let took = traffic.flows_within(SOON).await;
    assert!(took >= Duration::from_millis(800), "{took:?}");
    proxy.set(Mode::Pass);
    traffic.flows_within(SOON).await;
    traffic.settle().await;
    let ledger = traffic.ledger.open();
    assert_eq!(traffic.losses(), (0, 0));
    for sent in [&ledger.signals, &ledger.calls, &ledger.messages] {
        assert!(sent.iter().all(|sent| sent.result.is_ok()), "{}", ledger.failures());
    }
}

/// A network on which an answer takes 300 ms keeps no group from its start, nor from coming back after a loss.
async fn a_group_starts_over_a_slow_network(kind: Kind) {
    let (_server, proxy, url) = behind_a_proxy(kind).await;
    proxy.set(Mode::Delay(Duration::from_millis(150)));
    let begun = Instant::now();
    let traffic = Traffic::start_with(group_at(&url), Duration::from_millis(250)).await;
    let started = begun.elapsed();
    traffic.flows_within(SOON).await;
    let begun = Instant::now();
    proxy.drop_all().await;
    until(SOON, "the loss and the return of both", async || traffic.losses() == (2, 2)).await;
    println!("started after {started:?}, back after {:?}", begun.elapsed());
    traffic.flows_within(SOON).await;
    traffic.settle().await;
}

/// Under load, a server whose answers are lost is found missing within 10 s, and everything is back when they come again.
async fn a_server_that_is_not_heard_is_found_within_10_s(kind: Kind) {
    swallowed(kind, |proxy, mode| proxy.set_to_client(mode)).await;
}

/// Under load, a server that our commands do not reach is found missing within 10 s, and all is back when they do.
async fn a_server_that_does_not_hear_is_found_within_10_s(kind: Kind) {
    swallowed(kind, |proxy, mode| proxy.set_to_server(mode)).await;
}

async fn swallowed(kind: Kind, set: impl Fn(&Proxy, Mode)) {
    let (_server, proxy, url) = behind_a_proxy(kind).await;
    let traffic = Traffic::start(group_at(&url)).await;
    traffic.flows_within(SOON).await;
    let begun = Instant::now();
    set(&proxy, Mode::Blackhole);
    until(FOUND, "the loss of both connections", async || traffic.losses() == (2, 0)).await;
    println!("found after {:?}", begun.elapsed());
    set(&proxy, Mode::Pass);
    // An attempt that began in the black hole has 5 s before the next one.
    traffic.flows_within(SOON).await;
    traffic.settle().await;
    let ledger = traffic.ledger.open();
    ledger.calls_ended_cleanly();
    ledger.sends_ended_cleanly();
    ledger.no_signal_was_late();
    assert_eq!(traffic.losses(), (2, 2));
}

/// A connection on which nothing is sent is found dead within 10 s, by its heartbeat.
async fn an_idle_connection_in_a_black_hole_is_found_within_10_s(kind: Kind) {
    let (_server, proxy, url) = behind_a_proxy(kind).await;
    let group = group_at(&url).agent(|| Worker(Ledger::default())).start().await.unwrap();
    let begun = Instant::now();
    proxy.set(Mode::Blackhole);
    let both = async || group.events().count(formicary::EventKind::Disconnected) == 2;
    until(FOUND, "the loss of both connections", both).await;
    println!("found after {:?}", begun.elapsed());
    proxy.set(Mode::Pass);
    let back = async || group.events().count(formicary::EventKind::Reconnected) == 2;
    until(SOON, "their return", back).await;
    group.stop().await;
}
