//! What takes long: behind flags.

use std::process::{Command, Stdio};
use std::time::Duration;

use formicary_actors::contract::{Outcome, Settlement};
use tokio::time::Instant;

use super::cast::Ledger;
use super::fate::{Fate, try_send};
use super::stage::Stage;
use super::taker::{Taker, number};
use crate::left_out::{LeftOut, Verdict};
use crate::wait::until;

const SUITES: usize = 10;
const MIB: u64 = 1 << 20;

fn flag(name: &str) -> Result<String, LeftOut> {
    std::env::var(name).map_err(|_| LeftOut(format!("{name} is not set")))
}

/// With `FORMICARY_STRESS=1`: the whole suite of this adapter ten times side by side, each in a process of its own.
pub(crate) async fn the_suite_runs_ten_times_side_by_side(stage: &mut Stage) -> Verdict {
    flag("FORMICARY_STRESS")?;
    // The tests of this suite: `crate::module::endurance::name` without the crate and the last two.
    let path: Vec<_> = stage.name.split("::").collect();
    let of_this = path[1..path.len() - 2].join("::");
    let begin = |_| {
        let mut suite = Command::new(std::env::current_exe().unwrap());
        suite.args([of_this.as_str(), "--skip", "endurance"]).env_remove("FORMICARY_STRESS");
        suite.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let suites: Vec<_> = (0..SUITES).map(begin).collect();
    let said: Vec<_> = suites.into_iter().map(|suite| suite.wait_with_output().unwrap()).collect();
    let failed: Vec<_> = said.iter().filter(|said| !said.status.success()).collect();
    let texts: Vec<_> = failed.iter().map(|said| String::from_utf8_lossy(&said.stdout)).collect();
    assert!(failed.is_empty(), "{} of {SUITES} failed:\n{}", failed.len(), texts.join("\n"));
    Ok(())
}

/// With `FORMICARY_SOAK=10m` (or `30s`): sends and consumes for so long, while connections are reset every second where a
/// proxy can stand between. All arrives, and memory is bounded. Run it alone: the memory is that of the process.
pub(crate) async fn a_soak_loses_nothing_and_keeps_its_memory(stage: &mut Stage) -> Verdict {
    let time = duration(&flag("FORMICARY_SOAK")?)?;
    stage.real_time();
    let proxy = stage.proxy().await.ok();
    let broker = match &proxy {
        Some(proxy) => stage.behind(proxy),
        None => stage.broker(),
    };
    let taker = Taker::of(&broker, "mailer", 64).await;
    let begun = Instant::now();
    // Each round's numbers alone, so that the books do not grow.
    let (mut rounds, mut settled) = (0_u64, None);
    while begun.elapsed() < time {
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
        if begun.elapsed() > time / 5 {
            settled = settled.or(Some(resident()));
        }
    }
    let grown = resident().saturating_sub(settled.unwrap_or_default());
    stage.report(format_args!("{rounds} rounds of 2,000 messages, {} MiB more at the end", grown / MIB));
    assert!(settled.is_none() || grown < 32 * MIB, "{} MiB more", grown / MIB);
    Ok(())
}

fn duration(text: &str) -> Result<Duration, LeftOut> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match (number.parse::<u64>(), unit) {
        (Ok(n), "s") => n,
        (Ok(n), "m") => n * 60,
        _ => return Err(LeftOut(format!("FORMICARY_SOAK={text} is no time such as 10m or 30s"))),
    };
    Ok(Duration::from_secs(seconds))
}

/// The memory of this process, in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(0_u64) * 1_024
}
