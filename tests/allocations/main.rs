//! What a signal, a call and a message cost in allocations, on bus and broker in memory, sender and handler together.
//!
//! Bare, and with trace and metrics on. The counting allocator is the one of this binary, and
//! counts by thread, so tests may run beside each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[cfg(feature = "metrics")]
mod observed;
mod stage;

use std::sync::{Mutex, MutexGuard, PoisonError};

use formicary::Group;
use stage::{Stage, ask, letter, note};

formicary::declare!("tests/allocations/signals.json");

/// From a publish until the handler has run: the encoded body, and the three strings that the handler gets.
const OF_A_SIGNAL: f64 = 4.0;
/// From a call until its answer is there: beside those four its id, the answer's body and what it is decoded into.
const OF_A_CALL: f64 = 8.0;
/// From a push until its message is acknowledged: the encoded body, what shares it between queue and handler, its place in a
/// batch, the three strings that the handler gets, the message's id, and what holds its delivery.
const OF_A_MESSAGE: f64 = 8.0;
/// Of the average: now and then a channel or a table grows.
const GROWTH: f64 = 0.25;

const WARM_UP: u32 = 2_000;
const MEASURED: u32 = 10_000;

/// One test after the other: a span whose place in the code is first met by a thread without a subscriber is taken for one
/// that nobody wants, on all threads.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_signal_allocates_no_more_than_it_must() {
    let _alone = alone();
    signals(&Stage::new(Group::builder()));
}

#[test]
fn a_call_allocates_no_more_than_it_must() {
    let _alone = alone();
    calls(&Stage::new(Group::builder()));
}

#[test]
fn a_message_allocates_no_more_than_it_must() {
    let _alone = alone();
    messages(&Stage::new(Group::builder()));
}

#[test]
#[cfg(feature = "metrics")]
fn trace_and_metrics_add_no_allocation() {
    let _alone = alone();
    let (spans, tally) = (observed::Spans::default(), observed::Tally::default());
    metrics::with_local_recorder(&tally, || {
        tracing::subscriber::with_default(spans.clone(), || {
            let stage = Stage::new(Group::builder().trace(true).metrics(true));
            signals(&stage);
            calls(&stage);
            messages(&stage);
        });
    });
    let handled = 3 * u64::from(WARM_UP + MEASURED);
    assert!(spans.entered() >= handled, "only {} spans were entered", spans.entered());
    assert!(tally.counted() >= handled, "only {} handlings were counted", tally.counted());
}

fn signals(stage: &Stage) {
    let note = note();
    let each = average(stage, async |stage| {
        let heard = stage.heard();
        stage.ways.note.send(&note).await.unwrap();
        stage.until_heard(heard + 1).await;
    });
    assert!(each <= OF_A_SIGNAL + GROWTH, "{each:.2} allocations a signal, more than {OF_A_SIGNAL}");
}

fn calls(stage: &Stage) {
    let ask = ask();
    let each = average(stage, async |stage| assert_eq!(stage.ways.ask.first(&ask).await.unwrap(), 5));
    assert!(each <= OF_A_CALL + GROWTH, "{each:.2} allocations a call, more than {OF_A_CALL}");
}

fn messages(stage: &Stage) {
    let letter = letter();
    let each = average(stage, async |stage| {
        let consumed = stage.consumed();
        stage.ways.letters.send(&letter).await.unwrap();
        stage.until_consumed(consumed + 1).await;
    });
    assert!(each <= OF_A_MESSAGE + GROWTH, "{each:.2} allocations a message, more than {OF_A_MESSAGE}");
}

/// The allocations of one piece of work; `--nocapture` shows them.
fn average(stage: &Stage, work: impl AsyncFn(&Stage)) -> f64 {
    let repeat = |times| {
        stage.system.block_on(async {
            for _ in 0..times {
                work(stage).await;
            }
        });
    };
    repeat(WARM_UP);
    let counted = allocation_counter::measure(|| repeat(MEASURED));
    let each = counted.count_total as f64 / f64::from(MEASURED);
    println!("{each:.2} allocations, {:.0} bytes", counted.bytes_total as f64 / f64::from(MEASURED));
    each
}
