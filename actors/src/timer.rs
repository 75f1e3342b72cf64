//! When timers are due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use formicary_protocol::Cron;
use tokio::time::{Interval, MissedTickBehavior};

use crate::Clock;

/// The ticks of a period. After a stall there is one tick and no burst, and the ticks keep to their old grid.
#[derive(Debug)]
pub struct PeriodicTicks(Interval);

impl PeriodicTicks {
    /// Ticks first after `start_after`, then every `period`, which is at least 1 ms.
    pub fn new(start_after: Duration, period: Duration) -> Self {
        let mut ticks =
            tokio::time::interval_at(crate::clock::after(start_after), period.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self(ticks)
    }

    /// Returns at the next tick.
    ///
    /// # Cancel safety
    /// Cancel safe: no tick is lost when the future is dropped.
    pub async fn next(&mut self) {
        self.0.tick().await;
    }
}

/// The ticks of a cron expression, on the group's wall clock.
#[derive(Debug)]
pub struct CronTicks {
    cron: Cron,
    clock: Clock,
    last: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

/// A clock that somebody sets is looked at again at least so often.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A clock that was set back further than this begins anew; below it, a time that has been is not repeated.
const SET_BACK: TimeDelta = TimeDelta::hours(1);

impl CronTicks {
    /// Ticks at the times of `cron` after now.
    pub fn new(cron: Cron, clock: Clock) -> Self {
        let last = clock.now();
        let next = cron.next_after(last);
        Self { cron, clock, last, next }
    }

    /// Returns at the next time of the expression. After a stall or a clock that was set forward it returns once.
    ///
    /// # Cancel safety
    /// Cancel safe: no tick is lost when the future is dropped.
    pub async fn next(&mut self) {
        loop {
            let now = self.clock.now();
            if self.last - now > SET_BACK {
                self.last = now;
                self.next = self.cron.next_after(now);
            }
            let Some(next) = self.next else {
                // Dates that never come are refused when the expression is parsed; the calendar ends some day.
                return std::future::pending().await;
            };
            if next <= now {
                self.last = now;
                self.next = self.cron.next_after(now);
                return;
            }
            let wait = (next - now).to_std().unwrap_or(LOOK_AGAIN);
            let wait = if self.clock.can_jump() { wait.min(LOOK_AGAIN) } else { wait };
            tokio::time::sleep(wait).await;
        }
    }
}
