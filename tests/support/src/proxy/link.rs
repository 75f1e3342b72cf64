//! One connection through the proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Mode;
use super::pump::pump;

pub(super) struct Link {
    client: TcpStream,
    target: u16,
    modes: (watch::Receiver<Mode>, watch::Receiver<Mode>),
    resets: watch::Receiver<u64>,
    _counted: Counted,
}

impl Link {
    pub(super) fn new(
        client: TcpStream,
        target: u16,
        modes: (watch::Receiver<Mode>, watch::Receiver<Mode>),
        resets: watch::Receiver<u64>,
        open: &Arc<AtomicUsize>,
    ) -> Link {
        open.fetch_add(1, Ordering::SeqCst);
        Link { client, target, modes, resets, _counted: Counted(Arc::clone(open)) }
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
        let clean = tokio::select! {
            biased;
            _ = self.resets.changed() => false,
            both = async {
                tokio::try_join!(pump(from_client, to_server, self.modes.0), pump(from_server, to_client, self.modes.1))
            } => both.is_ok(),
        };
        if !clean {
            self.client.set_zero_linger().ok();
            server.set_zero_linger().ok();
        }
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
