//! The demo cluster: a user, a comment and an email agent in one process or in several.
//!
//! `cargo run --example cluster` runs all three in memory, with a live table on a terminal. `--bus redis://…` or
//! `amqp://…`, and `--broker` likewise, spread them over processes; `--chaos` makes handlers fail and agents panic,
//! and on a server kills a process; `--inspect` shows what its queue holds; `--help` says the rest.

mod agents;
mod apart;
mod chaos;
mod flags;
mod inspect;
mod interrupt;
mod left;
mod logs;
mod outbox;
mod pace;
mod panics;
mod progress;
mod quiet;
mod run;
mod summary;
mod table;

use std::process::ExitCode;

formicary::declare!("signals.json");

fn main() -> ExitCode {
    let settings = flags::parse();
    let logs = logs::install();
    panics::install();
    let interrupt = interrupt::Interrupt::listen(logs.screen());
    actix::System::new().block_on(run::run(settings, logs, interrupt))
}
