//! A subscriber and a recorder that are really asked and really counted in, and allocate nothing themselves: what is
//! counted is ours.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tracing::span::{Attributes, Id, Record};

/// Wants every span and counts how often one is entered.
#[derive(Clone, Default)]
pub struct Spans(Arc<Counts>);

#[derive(Default)]
struct Counts {
    made: AtomicU64,
    entered: AtomicU64,
}

impl Spans {
    pub fn entered(&self) -> u64 {
        self.0.entered.load(Ordering::Relaxed)
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        let made = self.0.made.fetch_add(1, Ordering::Relaxed) + 1;
        Id::from_non_zero_u64(NonZeroU64::new(made).unwrap())
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &Id) {
        self.0.entered.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _: &Id) {}
}

/// One number for all instruments.
#[derive(Clone, Default)]
pub struct Tally(Arc<Number>);

#[derive(Default)]
struct Number(AtomicU64);

impl Tally {
    pub fn counted(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

impl CounterFn for Number {
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Number {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, _: f64) {}
}

impl HistogramFn for Number {
    fn record(&self, _: f64) {}
}

impl Recorder for Tally {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.0.clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.0.clone())
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.0.clone())
    }
}
