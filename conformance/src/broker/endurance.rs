//! What takes long: behind flags.

use std::process::{Command, Stdio};
use std::time::Duration;

use formicary_actors::contract::{Outcome, Settlement};
use tokio::time::Instant;

use super::CASES;
use super::cast::Ledger;
use super::fate::{Fate, try_send};
use super::stage::Stage;
use super::taker::{Taker, number};
use crate::left_out::{LeftOut, Verdict};
use crate::wait::until;

const SUITES: usize = 10;
/// Longer than that many suites take side by side, on a small machine.
const STRESS: Duration = Duration::from_secs(3_600);
/// How much longer than it is told a soak may take: its last round, and the beginning of its server.
const SLACK: Duration = Duration::from_secs(180);
const MIB: u64 = 1 << 20;

fn flag(name: &str) -> Result<String, LeftOut> {
    std::env::var(name).map_err(|_| LeftOut(format!("{name} is not set")))
}

/// How long a case of these may take.
pub(crate) fn limit(case: &str) -> Duration {
    let soak = std::env::var("FORMICARY_SOAK").ok().and_then(|text| duration(&text).ok());
    if case == "the_suite_runs_ten_times_side_by_side" { STRESS } else { soak.unwrap_or_default() + SLACK }
}

/// With `FORMICARY_STRESS=1`: the whole suite of this adapter ten times side by side, each in a process of its own.
pub(crate) async fn the_suite_runs_ten_times_side_by_side(stage: &mut Stage) -> Verdict {
    flag("FORMICARY_STRESS")?;
    // The tests of this suite by their whole names: another suite may have a name that only ends like that of this one.
    let (_, here) = stage.name.split_once("::").unwrap();
    let module = here.strip_suffix("endurance::the_suite_runs_ten_times_side_by_side").unwrap();
    let cases = CASES.iter().filter(|case| !case.starts_with("endurance::"));
    let names: Vec<_> = cases.map(|case| format!("{module}{case}")).collect();
    let begin = |_| {
        let mut suite = Command::new(std::env::current_exe().unwrap());
        suite.arg("--exact").args(&names).env_remove("FORMICARY_STRESS");
        suite.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let suites: Vec<_> = (0..SUITES).map(begin).collect();
    let said: Vec<_> = suites.into_iter().map(|suite| suite.wait_with_output().unwrap()).collect();
    let passed = format!("{} passed", names.len());
    let texts = said.iter().map(|said| String::from_utf8_lossy(&said.stdout));
    let failed: Vec<_> = texts.filter(|text| !text.contains(&passed)).collect();
    assert!(failed.is_empty(), "{} of {SUITES} failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

/// With `FORMICARY_SOAK=10m` (or `30s`): sends and consumes for so long, while connections are reset every second where a
/// proxy can stand between. All arrives, and memory is bounded.
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
