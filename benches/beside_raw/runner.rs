//! Runs both sides in turn, and measures.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::options::Options;
use crate::report::{self, Metric, Row};

/// One benchmark: its name, how much a round does, and what is made of it.
pub struct Bench {
    pub name: &'static str,
    pub work: usize,
    pub metrics: &'static [Metric],
}

/// What one round took.
struct Round {
    count: usize,
    took: Duration,
    cpu: Duration,
    each: Vec<Duration>,
}

/// Who does the work of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Raw,
    Ours,
}

pub struct Runner {
    options: Options,
}

impl Runner {
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    pub fn head(&self) {
        report::head();
    }

    pub fn is_asked(&self, name: &str) -> bool {
        self.options.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// How much the rounds of a benchmark with this much work do: when warming up, and when measured.
    pub fn rounds_of(&self, work: usize) -> [usize; 2] {
        let work = self.options.work(work);
        [(work / 4).max(1), work]
    }

    /// A warm-up of both, then raw / ours / raw / ours. A side does so much work, and may say how long each piece took.
    pub async fn compare(
        &self,
        bench: Bench,
        raw: impl AsyncFn(usize) -> Outcome<Vec<Duration>>,
        ours: impl AsyncFn(usize) -> Outcome<Vec<Duration>>,
    ) -> Outcome {
        self.compare_prepared(bench, async |_, _| Ok(()), raw, ours).await
    }

    /// The same; before each round of a side something is prepared for it, which is not measured.
    pub async fn compare_prepared(
        &self,
        bench: Bench,
        prepare: impl AsyncFn(Side, usize) -> Outcome,
        raw: impl AsyncFn(usize) -> Outcome<Vec<Duration>>,
        ours: impl AsyncFn(usize) -> Outcome<Vec<Duration>>,
    ) -> Outcome {
        let [warm_up, work] = self.rounds_of(bench.work);
        let raw = async |work| {
            prepare(Side::Raw, work).await?;
            round(work, &raw).await
        };
        let ours = async |work| {
            prepare(Side::Ours, work).await?;
            round(work, &ours).await
        };
        let failed = |side: &str, error| format!("{}, {side}: {error}", bench.name);
        for _ in 0..2 {
            raw(warm_up).await.map_err(|error| failed("raw", error))?;
            ours(warm_up).await.map_err(|error| failed("ours", error))?;
        }
        let (mut of_raw, mut of_ours) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            of_raw.push(raw(work).await.map_err(|error| failed("raw", error))?);
            of_ours.push(ours(work).await.map_err(|error| failed("ours", error))?);
        }
        for metric in bench.metrics {
            let values = |rounds: &[Round]| rounds.iter().map(|round| metric_of(round, metric)).collect();
            report::row(&Row {
                name: bench.name,
                metric,
                raw: values(&of_raw),
                ours: values(&of_ours),
                raw_cpu: of_raw.iter().map(cpu_of).collect(),
                ours_cpu: of_ours.iter().map(cpu_of).collect(),
            });
        }
        Ok(())
    }
}

async fn round(work: usize, side: &impl AsyncFn(usize) -> Outcome<Vec<Duration>>) -> Outcome<Round> {
    let (begun, cpu) = (Instant::now(), cpu_time());
    let mut each = side(work).await?;
    let (took, cpu) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
    each.sort_unstable();
    Ok(Round { count: work, took, cpu, each })
}

/// Of all threads of this process, and not of the server.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn metric_of(round: &Round, metric: &Metric) -> f64 {
    match metric {
        Metric::PerSecond(_) => round.count as f64 / round.took.as_secs_f64(),
        Metric::Percentile(part, _) => {
            let at = (round.each.len() * usize::from(*part) / 100).min(round.each.len().saturating_sub(1));
            round.each.get(at).map_or(f64::NAN, Duration::as_secs_f64)
        }
    }
}

fn cpu_of(round: &Round) -> f64 {
    round.cpu.as_secs_f64() / round.count as f64
}
