//! How it goes with a repeater: its pauses and its lines in the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::lines::Lines;
use crate::Backoff;
use crate::agent::Cx;
use crate::error::HandlerError;
use crate::events::{Event, EventKind};

/// So many runs in a row may wait for nothing.
const MOST_IDLE: u32 = 64;
/// The pause after them, and the shortest after an error.
const BREATH: Duration = Duration::from_millis(1);

pub(super) struct Course<'c> {
    cx: &'c Cx,
    name: Arc<str>,
    every: Duration,
    backoff: Backoff,
    /// How many errors came in a row.
    failures: u32,
    /// How many runs in a row waited for nothing.
    idle: u32,
    lines: Lines,
}

impl<'c> Course<'c> {
    pub(super) fn new(cx: &'c Cx, name: Arc<str>, every: Duration, backoff: Backoff) -> Self {
        Self { cx, name, every, backoff, failures: 0, idle: 0, lines: Lines::default() }
    }

    /// Tells a failure, and pauses.
    pub(super) async fn failed(&mut self, began: Instant, error: &HandlerError) {
        let shared = self.cx.shared();
        let (agent, repeater, text) = (&shared.agent, &self.name, error.to_string());
        if let Some(times) = self.lines.failed(&text) {
            tracing::warn!(%agent, %repeater, times, "a repeater failed: {text}");
        }
        shared.env.events.emit(EventKind::RepeatFailed, || Event::RepeatFailed {
            agent: agent.clone(),
            repeater: repeater.clone(),
            error: text.into(),
        });
        let pause = self.backoff.wait(self.failures, &shared.env.ids);
        self.failures = self.failures.saturating_add(1);
        self.rest(pause.max(self.left(began)).max(BREATH)).await;
    }

    /// Tells that it works again, if it did not.
    pub(super) fn works(&mut self) {
        self.failures = 0;
        if let Some(failures) = self.lines.works() {
            tracing::info!(agent = %self.cx.agent(), repeater = %self.name, failures, "a repeater works again");
        }
    }

    /// What comes between a good run and the next.
    pub(super) async fn ran(&mut self, began: Instant, waited: bool) {
        self.works();
        self.idle = if waited { 0 } else { self.idle + 1 };
        match self.left(began) {
            Duration::ZERO if waited => {}
            Duration::ZERO if self.idle < MOST_IDLE => tokio::task::yield_now().await,
            left => {
                self.idle = 0;
                self.rest(left.max(BREATH)).await;
            }
        }
    }

    /// How long it still is until the next run may begin.
    fn left(&self, began: Instant) -> Duration {
        self.every.saturating_sub(began.elapsed())
    }

    async fn rest(&self, pause: Duration) {
        tokio::select! {
            biased;
            () = self.cx.stopping() => {}
            () = tokio::time::sleep_until(crate::clock::after(pause)) => {}
        }
    }
}
