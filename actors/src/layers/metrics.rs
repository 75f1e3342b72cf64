//! What a run adds to the metrics, by the `metrics` facade. The names stand in `docs/metrics.md`.

use std::time::Duration;

use crate::events::HandlerKind;

/// How a run ended, for its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Ok,
    Failed,
    TimedOut,
    Panicked,
}

/// The instruments of one handler, asked for once, so that a run only counts.
pub(crate) struct Meter {
    #[cfg(feature = "metrics")]
    on: Option<on::Instruments>,
}

/// A run that is counted as running until it is dropped.
pub(crate) struct Running<'a>(#[allow(dead_code, reason = "empty without metrics")] &'a Meter);

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self, reason = "the same face without metrics")]
impl Meter {
    pub(crate) fn new(_: bool, _: &str, _: &str, _: HandlerKind) -> Self {
        Self {}
    }

    pub(crate) fn begin(&self) -> Running<'_> {
        Running(self)
    }

    pub(crate) fn is_on(&self) -> bool {
        false
    }

    pub(crate) fn waited(&self, _: Duration) {}

    pub(crate) fn end(&self, _: Ending, _: Duration) {}
}

#[cfg(feature = "metrics")]
mod on {
    use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

    use super::{Duration, Ending, HandlerKind, Meter, Running};

    pub(super) struct Instruments {
        endings: [Counter; 4],
        seconds: Histogram,
        waited: Histogram,
        running: Gauge,
    }

    impl Meter {
        pub(crate) fn new(enabled: bool, agent: &str, handler: &str, kind: HandlerKind) -> Self {
            let labels =
                || [("agent", agent.to_owned()), ("handler", handler.to_owned()), ("kind", kind.word().into())];
            let ending = |word: &'static str| {
                let labels = labels().into_iter().chain([("outcome", word.to_owned())]).collect::<Vec<_>>();
                counter!("formicary_handlings_total", &labels)
            };
            let on = enabled.then(|| Instruments {
                endings: ["ok", "failed", "timeout", "panicked"].map(ending),
                seconds: histogram!("formicary_handling_seconds", &labels()),
                waited: histogram!("formicary_handling_wait_seconds", &labels()),
                running: gauge!("formicary_handlings_running", &labels()),
            });
            Self { on }
        }

        pub(crate) fn begin(&self) -> Running<'_> {
            if let Some(on) = &self.on {
                on.running.increment(1.0);
            }
            Running(self)
        }

        pub(crate) fn is_on(&self) -> bool {
            self.on.is_some()
        }

        pub(crate) fn waited(&self, waited: Duration) {
            if let Some(on) = &self.on {
                on.waited.record(waited.as_secs_f64());
            }
        }

        pub(crate) fn end(&self, ending: Ending, took: Duration) {
            if let Some(on) = &self.on {
                on.endings[ending as usize].increment(1);
                on.seconds.record(took.as_secs_f64());
            }
        }
    }

    impl Drop for Running<'_> {
        fn drop(&mut self) {
            if let Some(on) = &self.0.on {
                on.running.decrement(1.0);
            }
        }
    }
}
