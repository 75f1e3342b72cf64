//! One connection through the proxy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Mode;
use super::pump::pump;

pub(super) struct Link {
    client: TcpStream,
    target: u16,
    modes: (watch::Receiver<Mode>, watch::Receiver<Mode>),
    resets: watch::Receiver<u64>,
    asked: Asked,
    _counted: Counted,
}

impl Link {
    pub(super) fn new(
        client: TcpStream,
        target: u16,
        modes: (watch::Receiver<Mode>, watch::Receiver<Mode>),
        resets: watch::Receiver<u64>,
        open: &Open,
        asked: Asked,
    ) -> Link {
        let _counted = open.count(*resets.borrow());
        asked.add();
        Link { client, target, modes, resets, asked, _counted }
    }

    pub(super) async fn run(mut self) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.target)).await else {
            self.client.set_zero_linger().ok();
            return;
        };
        self.client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();

        let (from_client, to_client) = self.client.split();
        let (from_server, to_server) = server.split();
        let up = pump(from_client, to_server, self.modes.0, || self.asked.add());
        let down = pump(from_server, to_client, self.modes.1, || ());
        let clean = tokio::select! {
            biased;
            _ = self.resets.changed() => false,
            both = async { tokio::try_join!(up, down) } => both.is_ok(),
        };
        if !clean {
            self.client.set_zero_linger().ok();
            server.set_zero_linger().ok();
        }
    }
}

/// How often clients have asked for something.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<AtomicU64>);

impl Asked {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many connections are open, by the number of resets that there had been when they were taken: a client may come back
/// before anybody has seen that it was gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Open(Arc<Mutex<BTreeMap<u64, usize>>>);

struct Counted {
    open: Open,
    resets: u64,
}

impl Open {
    fn count(&self, resets: u64) -> Counted {
        *self.lock().entry(resets).or_default() += 1;
        Counted { open: self.clone(), resets }
    }

    pub(super) fn all(&self) -> usize {
        self.lock().values().sum()
    }

    /// Those taken before there had been so many resets.
    pub(super) fn before(&self, resets: u64) -> usize {
        self.lock().range(..resets).map(|(_, count)| count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(count) = self.open.lock().get_mut(&self.resets) {
            *count -= 1;
        }
    }
}
