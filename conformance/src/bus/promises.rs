//! What a bus adapter promises beyond its capabilities.

use std::time::Duration;

/// What a bus adapter promises beyond the `Capabilities` that it tells. The default is what the memory and Redis buses
/// promise; an adapter takes back what it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusPromises {
    /// A call that nobody hears fails at once. `false`: it fails at its deadline. Default `true`.
    pub tells_nobody_listening: bool,
    /// It keeps nothing of what has gone through it. `false`: it is a double that records. Default `true`.
    pub forgets: bool,
    /// Within how long a connection is found dead that is open and silent, as the adapters of
    /// [`BusPlace::bus_at`](super::BusPlace::bus_at) are set up. Default 10 s.
    pub notices_within: Duration,
    /// Within how long an adapter works again when its server is back, as those adapters are set up. Default 5 s.
    pub back_within: Duration,
}

impl Default for BusPromises {
    fn default() -> Self {
        Self {
            tells_nobody_listening: true,
            forgets: true,
            notices_within: Duration::from_secs(10),
            back_within: Duration::from_secs(5),
        }
    }
}
