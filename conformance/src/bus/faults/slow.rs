//! A network that takes its time.

use std::time::Duration;

use formicary_actors::bus::Bus;
use formicary_actors::events::EventKind;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::bus::calls::ask;
use crate::bus::stage::{Line, slack, up};
use crate::proxy::Mode;

/// So many things happen at once.
pub(super) const AT_ONCE: u64 = 256;
/// In each direction.
const DELAY: Duration = Duration::from_millis(100);
/// A round in which each of them waits for the one before takes ten times as long.
const SHARED: Duration = Duration::from_secs(4);

/// How a round goes over the network.
#[derive(Clone, Copy)]
pub(super) enum Trip {
    OneWay,
    BothWays,
}

/// Plays a round over a slow network, is silent for longer than it takes to find that nobody is there, and plays another: each takes
/// its time, the things in it share it, and there is no outage.
pub(super) async fn is_no_outage(line: &Line, bus: &Bus, trip: Trip, round: impl AsyncFn(u64)) {
    let least = if matches!(trip, Trip::OneWay) { DELAY } else { 2 * DELAY };
    up(bus).await;
    line.proxy.set(Mode::Delay(DELAY));
    for n in 0..2 {
        let begun = Instant::now();
        round(n).await;
        let took = begun.elapsed();
        assert!((least..SHARED).contains(&took), "{AT_ONCE} at once, of which each takes {least:?}, took {took:?}");
        sleep(line.promises.notices_within + slack()).await;
    }
    assert_eq!(bus.env().events.count(EventKind::Disconnected), 0);
}

/// Asks, all at once, and is answered.
pub(super) async fn all_are_answered(caller: &Bus) {
    for (n, answer) in (0..).zip(join_all((0..AT_ONCE).map(|n| ask(caller, n))).await) {
        assert_eq!(answer.unwrap(), 2 * n);
    }
}
