//! What a signal and a call cost in allocations, on the memory bus, sender and handler together.
//!
//! Bare: no listener of events and no subscriber of `tracing`. The counting allocator is the one of this binary, and
//! counts by thread, so tests may run beside each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod stage;

use stage::{Stage, ask, note};

formicary::declare!("tests/allocations/signals.json");

/// From a publish until the handler has run. Lower it with the figure: it should be 4, which are the three strings that
/// the handler gets and the encoded body.
const OF_A_SIGNAL: f64 = 8.0;
/// From a call until its answer is there. Lower it with the figure.
const OF_A_CALL: f64 = 19.0;
/// Of the average: now and then a channel or a table grows.
const GROWTH: f64 = 0.25;

const WARM_UP: u32 = 2_000;
const MEASURED: u32 = 10_000;

#[test]
fn a_signal_allocates_no_more_than_it_must() {
    let (stage, note) = (Stage::new(), note());
    let each = average(&stage, async |stage| {
        let heard = stage.heard();
        stage.ways.note.send(&note).await.unwrap();
        stage.until_heard(heard + 1).await;
    });
    assert!(each <= OF_A_SIGNAL + GROWTH, "{each:.2} allocations a signal, more than {OF_A_SIGNAL}");
}

#[test]
fn a_call_allocates_no_more_than_it_must() {
    let (stage, ask) = (Stage::new(), ask());
    let each = average(&stage, async |stage| assert_eq!(stage.ways.ask.first(&ask).await.unwrap(), 5));
    assert!(each <= OF_A_CALL + GROWTH, "{each:.2} allocations a call, more than {OF_A_CALL}");
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
