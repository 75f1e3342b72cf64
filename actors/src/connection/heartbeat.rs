//! Is anybody there? A ping on an idle connection, and how to tell a dead peer from a stall of our own.

use std::{future::Future, pin::pin, time::Duration};
use tokio::time::{Instant, sleep};

/// How long the other tasks of this thread get to fetch an answer that may lie in the socket already.
const GRACE: Duration = Duration::from_millis(100);

/// How often in a heartbeat we look whether anything came: a clock reading for each message would cost more.
const TICKS: u32 = 5;

/// What came back for a ping.
pub(crate) enum Pong {
    /// Any answer, an error too: somebody is there.
    Answered,
    /// The answer to another command: requests and answers no longer match.
    #[cfg(feature = "redis")]
    OutOfStep,
    /// The connection ended meanwhile; whoever watches the driver will say why.
    Gone,
}

/// Returns, with the reason, when the peer does not answer.
///
/// `activity` counts what comes, answers and messages at least: while it moves nothing is sent. `busy` is true while a blocking read holds the
/// connection, which has a watch of its own.
pub(crate) async fn watch<P: Future<Output = Pong>>(
    interval: Duration,
    activity: impl Fn() -> u64,
    busy: impl Fn() -> bool,
    ping: impl Fn() -> P,
) -> String {
    let limit = answer_time(interval);
    let mut seen = activity();
    let mut quiet = 0;
    loop {
        sleep(interval / TICKS).await;
        let now = activity();
        if now != seen || busy() {
            (seen, quiet) = (now, 0);
            continue;
        }
        quiet += 1;
        // The last sign of life may be a tick older than the first quiet tick.
        if quiet < TICKS - 1 {
            continue;
        }
        quiet = 0;
        let mut pong = pin!(ping());
        tokio::select! {
            biased;
            pong = &mut pong => match pong {
                Pong::Answered => {}
                #[cfg(feature = "redis")]
                Pong::OutOfStep => return OUT_OF_STEP.to_owned(),
                Pong::Gone => std::future::pending().await,
            },
            () = overdue(limit) => {
                if activity() == seen {
                    return format!("no answer to a ping within {limit:?}");
                }
            }
        }
    }
}

#[cfg(feature = "redis")]
pub(crate) const OUT_OF_STEP: &str = "answers no longer match their commands";

/// How long a ping may take: with the heartbeat before it and the grace after it, less than twice the heartbeat.
pub(crate) fn answer_time(heartbeat: Duration) -> Duration {
    heartbeat.mul_f64(0.8)
}

/// Sleeps for `limit`, and then until a short sleep of our own ended on time: if this thread stood still, the answer
/// may have been here all along, and whoever reads the socket must get to run first.
pub(crate) async fn overdue(limit: Duration) {
    sleep(limit).await;
    loop {
        let due = Instant::now() + GRACE;
        sleep(GRACE).await;
        if Instant::now() < due + GRACE {
            return;
        }
    }
}
