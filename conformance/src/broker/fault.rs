//! The faults of a network.

use crate::proxy::{Mode, Proxy};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Connections are reset, and new ones refused.
    Down,
    /// What we say is lost, and connections stay open.
    Unheard,
    /// What the server says is lost, and connections stay open.
    Deaf,
    /// Both.
    Cut,
}

impl Fault {
    pub async fn begin(self, proxy: &Proxy) {
        match self {
            Self::Down => {
                proxy.refuse().await;
                proxy.drop_all().await;
            }
            Self::Unheard => proxy.set_to_server(Mode::Blackhole),
            Self::Deaf => proxy.set_to_client(Mode::Blackhole),
            Self::Cut => proxy.set(Mode::Blackhole),
        }
    }

    pub async fn end(self, proxy: &Proxy) {
        match self {
            Self::Down => proxy.accept().await,
            _ => {
                // An adapter may have noticed on one of its connections and not yet on another. No network goes on in the
                // middle of a stream of which it has lost a part.
                proxy.drop_all().await;
                proxy.set(Mode::Pass);
            }
        }
    }
}
