//! SIGINT and SIGTERM.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::table::Screen;

/// The first signal, for whoever waits for it. The second one ends the process at once with exit code 1.
pub struct Interrupt(watch::Receiver<Option<&'static str>>);

impl Interrupt {
    /// Listens on a thread of its own: a handler that holds the agents' thread can't hold up the second signal.
    pub fn listen(screen: Arc<Screen>) -> Self {
        let (sender, seen) = watch::channel(None);
        std::thread::spawn(move || {
            if let Err(error) = listen(&sender, &screen) {
                tracing::error!("cannot listen to SIGINT and SIGTERM, which end the process at once now: {error}");
            }
        });
        Self(seen)
    }

    /// Returns the name of the first signal.
    pub async fn wait(&mut self) -> &'static str {
        loop {
            if let Some(name) = *self.0.borrow_and_update() {
                return name;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn listen(sender: &watch::Sender<Option<&'static str>>, screen: &Screen) -> std::io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        };
        sender.send_replace(Some(next().await));
        let name = next().await;
        screen.leave();
        eprintln!("{name} again: ending at once");
        std::process::exit(1);
    })
}
