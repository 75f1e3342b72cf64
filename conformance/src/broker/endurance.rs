//! What takes long: behind flags.

use std::time::Duration;

use formicary_actors::contract::{Outcome, Settlement};
use tokio::time::Instant;

use super::CASES;
use super::cast::Ledger;
use super::fate::{Fate, try_send};
use super::stage::Stage;
use super::taker::{Taker, number};
use crate::endurance::{Soak, ten_times_side_by_side};
use crate::left_out::Verdict;
use crate::wait::until;

/// With `FORMICARY_STRESS=1`: the whole suite of this adapter ten times side by side.
pub(crate) async fn the_suite_runs_ten_times_side_by_side(stage: &mut Stage) -> Verdict {
    ten_times_side_by_side(&stage.name, CASES)
}

/// With `FORMICARY_SOAK=10m` (or `30s`): sends and consumes for so long, while connections are reset every second where a
/// proxy can stand between. All arrives, and memory is bounded.
pub(crate) async fn a_soak_loses_nothing_and_keeps_its_memory(stage: &mut Stage) -> Verdict {
    let mut soak = Soak::begin()?;
    stage.real_time();
    let proxy = stage.proxy().await.ok();
    let broker = match &proxy {
        Some(proxy) => stage.behind(proxy),
        None => stage.broker(),
    };
    let taker = Taker::of(&broker, "mailer", 64).await;
    let mut rounds = 0_u64;
    while soak.goes_on() {
        // Each round's numbers alone, so that the books do not grow.
        let ledger = Ledger::default();
        let round = Instant::now();
        let sending = async {
            for n in 0..2_000 {
                while try_send(&broker, rounds * 2_000 + n).await != Fate::Sent {}
            }
        };
        let taking = until(Duration::from_secs(60), "all of a round", async || {
            for one in taker.all() {
                // What an earlier round sent twice is not of this one.
                if number(&one) >= rounds * 2_000 {
                    ledger.add(number(&one));
                }
                taker.let_settle(Settlement::new(one.token, Outcome::Ack));
            }
            ledger.distinct() == 2_000
        });
        tokio::join!(sending, taking);
        if let Some(proxy) = &proxy {
            proxy.drop_all().await;
        }
        until(Duration::from_secs(60), "the second to be over", async || round.elapsed() > Duration::from_secs(1))
            .await;
        rounds += 1;
    }
    let grown = soak.grown();
    stage.report(format_args!("{rounds} rounds of 2,000 messages, {grown} MiB more at the end"));
    Ok(())
}
