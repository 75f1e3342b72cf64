//! The server closes our connections.

use formicary_test_support::redis::Server;

use crate::common::*;
use crate::traffic::Traffic;

on_redis! {
    connections_killed_over_and_over_lose_no_accepted_message,
}

const ROUNDS: u64 = 10;

/// Whenever our connections are killed, subscriptions and consumers are back, and no accepted message is lost.
async fn connections_killed_over_and_over_lose_no_accepted_message() {
    let server = Server::start().await;
    let traffic = Traffic::start(group_at(&server.url())).await;
    traffic.flows_within(SOON).await;
    for round in 1..=ROUNDS {
        // The bus subscribes, which makes it `pubsub`; the broker's connections are `normal`.
        for kind in ["pubsub", "normal"] {
            let killed = server.command(&["CLIENT", "KILL", "TYPE", kind]).await.unwrap().integer();
            assert!(killed >= Some(1), "{killed:?} connections of type {kind}");
        }
        until(SOON, "the loss and the return of both", async || traffic.losses() == (2 * round, 2 * round)).await;
        traffic.flows_within(SOON).await;
    }
    traffic.settle().await;
    let ledger = traffic.ledger.open();
    println!("killed {ROUNDS} times; {}", ledger.failures());
    ledger.calls_ended_cleanly();
    ledger.sends_ended_cleanly();
    ledger.no_signal_was_late();
}
