use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::{Exit, Group, GroupBuilder};

/// Runs a group in a system of its own until SIGINT or SIGTERM, or until it ends by itself. The whole of a `main`:
///
/// ```no_run
/// # use formicary::prelude::*;
/// fn main() -> std::process::ExitCode {
///     formicary::run(Group::builder())
/// }
/// ```
///
/// The exit code is 0 after a stop, 1 when the group could not start (stderr says why), and 3 when an agent crashed too often. A second
/// signal ends the process at once with exit code 1.
pub fn run(builder: GroupBuilder) -> ExitCode {
    let exit = actix::System::new().block_on(async {
        match builder.start().await {
            Ok(group) => run_until_signal(group).await,
            Err(error) => {
                // On stderr and not in the log: a program without a log must not end in silence.
                eprintln!("error: {error}");
                Exit::Failed
            }
        }
    });
    ExitCode::from(exit.code())
}

/// Runs a group until SIGINT or SIGTERM, or until it ends by itself, and stops it. A second signal ends the process at
/// once with exit code 1.
pub async fn run_until_signal(group: Group) -> Exit {
    match Signals::new() {
        Ok(mut signals) => {
            tokio::select! {
                biased;
                name = signals.next() => tracing::info!("{name}: stopping"),
                exit = group.ended() => tracing::info!(?exit, "the group has ended by itself: stopping"),
            }
            tokio::select! {
                biased;
                exit = group.stop() => exit,
                name = signals.next() => {
                    tracing::error!("{name} again: ending at once");
                    std::process::exit(1);
                }
            }
        }
        Err(error) => {
            tracing::error!("cannot listen to signals: {error}");
            group.stop().await;
            Exit::Failed
        }
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
