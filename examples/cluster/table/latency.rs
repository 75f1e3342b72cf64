//! How long the runs of a handler took in the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The seconds that count.
const SECONDS: u64 = 5;
/// Steps of a quarter of an octave from 1 µs: up to 4 s with an error below a fifth.
const STEPS: usize = 90;

pub struct Latency {
    started: Instant,
    slots: VecDeque<Slot>,
}

struct Slot {
    second: u64,
    runs: u64,
    sum: Duration,
    steps: [u32; STEPS],
}

/// The last seconds of a handler.
pub struct Recent {
    pub rate: f64,
    pub mean: Option<Duration>,
    pub p99: Option<Duration>,
}

impl Latency {
    pub fn new(started: Instant) -> Self {
        Self { started, slots: VecDeque::new() }
    }

    pub fn add(&mut self, took: Duration) {
        let second = self.second();
        if self.slots.back().is_none_or(|slot| slot.second < second) {
            self.slots.push_back(Slot { second, runs: 0, sum: Duration::ZERO, steps: [0; STEPS] });
        }
        let Some(slot) = self.slots.back_mut() else { return };
        slot.runs += 1;
        slot.sum += took;
        slot.steps[step(took)] += 1;
    }

    pub fn recent(&mut self) -> Recent {
        let second = self.second();
        while self.slots.front().is_some_and(|slot| slot.second + SECONDS < second) {
            self.slots.pop_front();
        }
        let runs: u64 = self.slots.iter().map(|slot| slot.runs).sum();
        let oldest = second.saturating_sub(SECONDS);
        let span = self.started.elapsed().as_secs_f64() - oldest as f64;
        let sum: Duration = self.slots.iter().map(|slot| slot.sum).sum();
        let mean = (runs > 0).then(|| sum.div_f64(runs as f64));
        Recent { rate: runs as f64 / span.max(1.0), mean, p99: self.p99(runs) }
    }

    fn p99(&self, runs: u64) -> Option<Duration> {
        let mut beyond = runs.checked_sub(1)? / 100;
        for at in (0..STEPS).rev() {
            let here: u64 = self.slots.iter().map(|slot| u64::from(slot.steps[at])).sum();
            if here > beyond {
                return Some(bound(at));
            }
            beyond -= here;
        }
        None
    }

    fn second(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

fn step(took: Duration) -> usize {
    let micros = took.as_secs_f64() * 1e6;
    ((micros.max(1.0).log2() * 4.0) as usize).min(STEPS - 1)
}

/// The end of a step.
fn bound(step: usize) -> Duration {
    Duration::from_secs_f64(2f64.powf((step + 1) as f64 / 4.0) / 1e6)
}
