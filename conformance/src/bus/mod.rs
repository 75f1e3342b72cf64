//! The cases of a bus. Write a [`BusFactory`], and call [`bus!`](crate::bus!) with it.

pub mod calls;
mod cast;
mod factory;
pub mod faults;
mod inbox;
pub mod lifecycle;
mod list;
pub mod routing;
mod stage;

pub use factory::{BusFactory, BusTraits};
pub use stage::Stage;

/// Runs one case; what [`bus!`](crate::bus!) calls.
#[doc(hidden)]
pub fn run<F: BusFactory>(case: &'static str, body: impl AsyncFnOnce(Stage<F>)) {
    actix_rt::System::new().block_on(async {
        match F::begin().await {
            Some(factory) => body(Stage::new(factory, case)).await,
            None => left_out(case, "its factory cannot begin here"),
        }
    });
}

/// Written past the capture of the test harness, which keeps what passing tests say through `eprintln!` to itself.
fn left_out(case: &str, why: &str) {
    use std::io::Write;

    let line = format!("left out: {case}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
}
