use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

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
/// The exit code is 0 after a stop, 1 when the group could not start (stderr says why), 2 when its configuration is wrong,
/// and 3 when an agent crashed too often. A second signal ends the process at once with exit code 1.
pub fn run(builder: GroupBuilder) -> ExitCode {
    let exit = actix::System::new().block_on(async {
        match builder.start().await {
            Ok(group) => run_until_signal(group).await,
            Err(error) => {
                // On stderr and not in the log: a program without a log must not end in silence.
                eprintln!("error: {error}");
                Exit::of_start(&error)
            }
        }
    });
    ExitCode::from(exit.code())
}

/// Runs a group until SIGINT or SIGTERM, or until it ends by itself, and stops it. A second signal ends the process at
/// once with exit code 1. Signals are heard on a thread of their own, so that a handler that holds the arbiter does not
/// make the process deaf.
pub async fn run_until_signal(group: Group) -> Exit {
    let (first, stop) = oneshot::channel();
    let heard = std::thread::Builder::new().name("formicary-signals".to_owned()).spawn(move || listen(first));
    if let Err(error) = heard {
        tracing::error!("cannot listen to signals: {error}");
        group.stop().await;
        return Exit::Failed;
    }
    tokio::select! {
        biased;
        name = stop => match name {
            Ok(name) => tracing::info!("{name}: stopping"),
            Err(_) => tracing::error!("cannot listen to signals: stopping"),
        },
        exit = group.ended() => tracing::info!(?exit, "the group has ended by itself: stopping"),
    }
    group.stop().await
}

/// Tells of the first signal, and ends the process at the second.
fn listen(first: oneshot::Sender<&'static str>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    runtime.block_on(async {
        let Ok(mut signals) = Signals::new() else { return };
        // A group that has ended by itself does not wait for the first; the process still obeys the next one.
        let _ = first.send(signals.next().await);
        let name = signals.next().await;
        eprintln!("{name} again: ending at once");
        std::process::exit(1);
    });
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
