//! The server closes our connections.

use crate::common::*;
use crate::server::Kind;
use crate::traffic::Traffic;

on_servers! {
    connections_killed_over_and_over_lose_no_accepted_message,
}

const ROUNDS: u64 = 10;

/// Whenever our connections are killed, subscriptions and consumers are back, and no accepted message is lost.
async fn connections_killed_over_and_over_lose_no_accepted_message(kind: Kind) {
    let server = kind.start().await;
    let traffic = Traffic::start(group_at(&server.url())).await;
    traffic.flows_within(SOON).await;
    for round in 1..=ROUNDS {
        server.kill_connections().await;
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
