//! What takes long: behind flags.

use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::alone;
use crate::left_out::{LeftOut, Verdict};
use crate::rss::{self, MIB};

const STRESS_FLAG: &str = "FORMICARY_STRESS";
const PATIENCE: &str = "FORMICARY_PATIENCE";
const SOAK_FLAG: &str = "FORMICARY_SOAK";
const SUITES: usize = 10;
/// Longer than that many suites take side by side, on a small machine.
const STRESS: Duration = Duration::from_secs(3_600);
/// How much longer than it is told a soak may take: its last round, and the beginning of its server.
const SLACK: Duration = Duration::from_secs(180);
/// By so much the memory of a soak may grow when it has run for a fifth of its time.
const GROWTH: u64 = 32 * MIB;

fn flag(name: &str) -> Result<String, LeftOut> {
    std::env::var(name).map_err(|_| LeftOut(format!("{name} is not set")))
}

/// How long a case of these may take.
pub(crate) fn limit(case: &str) -> Duration {
    let soak = flag(SOAK_FLAG).map(|text| duration(&text));
    if case == "the_suite_runs_ten_times_side_by_side" { STRESS } else { soak.unwrap_or_default() + SLACK }
}

/// With `FORMICARY_STRESS=1`: the whole suite of this adapter ten times side by side, each in a process of its own. `name` is the
/// test that this is, and `cases` are all of its suite.
pub(crate) fn ten_times_side_by_side(name: &str, cases: &[&str]) -> Verdict {
    flag(STRESS_FLAG)?;
    // The tests of this suite by their whole names: another suite may have a name that only ends like that of this one.
    let (_, here) = name.split_once("::").unwrap();
    let module = here.strip_suffix("endurance::the_suite_runs_ten_times_side_by_side").unwrap();
    let cases = cases.iter().filter(|case| !case.starts_with("endurance::"));
    let names: Vec<_> = cases.map(|case| format!("{module}{case}")).collect();
    let begin = |_| {
        let mut suite = Command::new(std::env::current_exe().unwrap());
        // Ten at once are the stress; on many cores each suite would be so many more.
        suite
            .args(["--exact", "--test-threads=1"])
            .args(&names)
            .env_remove(STRESS_FLAG)
            .env(PATIENCE, SUITES.to_string());
        // Not into pipes: one that says much would stand still until somebody reads it.
        let said = alone::scratch();
        suite.stdin(Stdio::null()).stdout(alone::copy(&said)).stderr(Stdio::null());
        (suite.spawn().unwrap(), said)
    };
    let begun = std::time::Instant::now();
    let suites: Vec<_> = (0..SUITES).map(begin).collect();
    let passed = format!("{} passed", names.len());
    let ended = suites.into_iter().map(|(suite, mut said)| {
        // Before the limit of this case, which would leave them running.
        alone::end_of(suite, (STRESS - SLACK).saturating_sub(begun.elapsed()));
        alone::text(&mut said)
    });
    let failed: Vec<_> = ended.filter(|text| !text.contains(&passed)).collect();
    assert!(failed.is_empty(), "{} of {SUITES} failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

/// With `FORMICARY_SOAK=10m` (or `30s`): something that goes on for so long, in bounded memory.
pub(crate) struct Soak {
    time: Duration,
    begun: Instant,
    /// The memory after a fifth of the time, when all that is kept for ever is there.
    settled: Option<u64>,
}

impl Soak {
    pub(crate) fn begin() -> Result<Self, LeftOut> {
        let time = duration(&flag(SOAK_FLAG)?);
        Ok(Self { time, begun: Instant::now(), settled: None })
    }

    /// Whether there is time for another round.
    pub(crate) fn goes_on(&mut self) -> bool {
        let elapsed = self.begun.elapsed();
        if elapsed > self.time / 5 {
            self.settled = self.settled.or_else(rss::now);
        }
        elapsed < self.time
    }

    /// By how much the memory has grown, in MiB, which is little.
    pub(crate) fn grown(&self) -> u64 {
        let grown = self.settled.zip(rss::now()).map_or(0, |(settled, now)| now.saturating_sub(settled));
        assert!(grown < GROWTH, "{} MiB more", grown / MIB);
        grown / MIB
    }
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match (number.parse::<u64>(), unit) {
        (Ok(n), "s") => n,
        (Ok(n), "m") => n * 60,
        _ => panic!("{SOAK_FLAG}={text} is no time such as 10m or 30s"),
    };
    Duration::from_secs(seconds)
}
