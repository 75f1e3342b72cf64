//! Wall clocks that are set back and forth: those of the server, of a consumer, and of its neighbour.

use std::time::Duration;

use formicary::EventKind;
use formicary_test_support::redis::Server;
use formicary_test_support::wall::WallClock;
use tokio::time::{Instant, sleep};

use crate::common::*;
use crate::consumer::{Process, Record, Setup, Work};
use crate::jobs::redis::{drained, push, taken};

on_redis! {
    wall_clocks_set_back_and_forth_touch_no_lease,
}

const LEASE: Duration = Duration::from_secs(1);
const HOUR: i64 = 60 * 60;

/// However the wall clocks of the server and of the consumers are set, no consumer takes from a living one, what a dead
/// one had is taken over in time, and nothing is lost.
async fn wall_clocks_set_back_and_forth_touch_no_lease() {
    let [of_server, of_holder, of_survivor] = std::array::from_fn(|_| WallClock::new());
    let (server, record) = (Server::options().envs(of_server.env()).start().await, Record::new());
    let looks_on = group_at(&server.url()).start().await.unwrap();
    let setup = Setup::new(server.url(), &record).lease(LEASE);
    let holds = setup.clone().work(Work::Takes(Duration::from_secs(60))).clock(&of_holder);
    let holds = Process::start(&holds).await;
    push(&server, 0..16).await;
    until(SOON, "all in hand", async || taken(&server).await == 16).await;
    let survivor = Process::start(&setup.clone().clock(&of_survivor)).await;
    let right = time_of(&server).await;
    for (server_s, holder_s, survivor_s) in [(HOUR, 0, 0), (-HOUR, HOUR, -HOUR), (0, -HOUR, HOUR), (HOUR, -HOUR, 0)] {
        of_server.set(server_s);
        of_holder.set(holder_s);
        of_survivor.set(survivor_s);
        let off = time_of(&server).await - right - server_s;
        assert!((0..60).contains(&off), "the server's clock is not set: {off} s off");
        // The time in which it could mistake it for dead.
        sleep(LEASE.mul_f64(1.5)).await;
        assert_eq!(survivor.counters().await.of(EventKind::Reclaimed), 0, "{server_s} {holder_s} {survivor_s}");
    }
    let begun = Instant::now();
    holds.kill().await;
    of_server.set(-HOUR);
    of_survivor.set(-HOUR);
    record.until(16, LEASE.mul_f64(1.5) + SLACK).await;
    println!("measured: lease {LEASE:?}, taken over after {:?}", begun.elapsed());
    push(&server, 16..100).await;
    let counts = drained(looks_on.broker()).await;
    assert_eq!((counts.dead, record.numbers(), record.duplicates()), (0, (0..100).collect(), 0));
    let counters = survivor.stop().await;
    assert_eq!((counters.of(EventKind::Reclaimed), counters.of(EventKind::LateSettlement)), (16, 0));
    looks_on.stop().await;
}

/// The server's wall clock, in seconds.
async fn time_of(server: &Server) -> i64 {
    server.command(&["TIME"]).await.unwrap().array()[0].text().unwrap().parse().unwrap()
}
