use std::net::SocketAddr;
use std::time::Duration;

use formicary_actors::Env;
use formicary_actors::bus::Bus;

/// What the author of a bus adapter writes: how the adapter is made, and what it stands on. One value is made for each case.
pub trait BusFactory: Sized + Send + Sync + 'static {
    /// Starts or reaches the server; `None` leaves the case out. Each case has a prefix of its own, so cases may share one
    /// server.
    fn begin() -> impl Future<Output = Option<Self>>;

    /// What the adapter can do beside its [`Capabilities`](formicary_actors::contract::Capabilities).
    fn traits(&self) -> BusTraits;

    /// An adapter as another process would have it, on the current arbiter. It hears and is heard by all others of this
    /// value that have the same prefix.
    fn bus(&self, env: Env) -> Bus;

    /// The same, with its server at this address: that of a proxy, or of nobody. Its heartbeat is that of
    /// [`BusFactory::traits`], and an attempt to connect has as long. Called only with an [`address`](Self::address).
    fn bus_at(&self, address: SocketAddr, env: Env) -> Bus {
        let _ = address;
        self.bus(env)
    }

    /// Where the server listens, so that a proxy can stand before it. `None` leaves the cases of faults out.
    fn address(&self) -> Option<SocketAddr> {
        None
    }
}

/// What a bus can do, in words that its `Capabilities` lack.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BusTraits {
    /// A call that nobody hears fails at once. Default false.
    pub tells_nobody_listening: bool,
    /// The heartbeat of what [`BusFactory::bus_at`] makes: a connection on which nothing comes is found within twice of it.
    /// Default 1 s.
    pub heartbeat: Duration,
}

impl Default for BusTraits {
    fn default() -> Self {
        Self { tells_nobody_listening: false, heartbeat: Duration::from_secs(1) }
    }
}
