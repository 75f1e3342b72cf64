//! What a broker adapter promises beyond its capabilities.

use std::time::Duration;

/// What a broker adapter promises beyond the `Capabilities` that it tells. The default is what the memory and Redis
/// brokers promise; an adapter takes back what it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerPromises {
    /// It has no time but tokio's, and no thread but the current one: cases run under a paused clock and take no time.
    /// Default `false`.
    pub clockless: bool,
    /// A consumer gets the messages of a queue in the order in which one sender sent them. Default `true`.
    pub in_order: bool,
    /// What is returned goes to the head of its queue, in its old order. Default `true`.
    pub returns_to_the_head: bool,
    /// What was tried already and is due comes before what waits in its queue. Default `true`.
    pub retries_come_first: bool,
    /// Each delivery can be settled on its own, with any outcome. `false`: settling one acknowledges those before it.
    /// Default `true`.
    pub settles_each: bool,
    /// A settlement that is made while the server is away is applied when it is back, and the message does not come
    /// again. `false`: it is told as late, and the message comes again. Default `true`.
    pub settles_across_outages: bool,
    /// Within how long a connection is found dead that is open and silent, as the adapters of the place are set up.
    /// Default 10 s.
    pub notices_within: Duration,
    /// Within how long an adapter works again when its server is back: an attempt to connect that fell into the outage has
    /// to end first. Default 7 s.
    pub back_within: Duration,
    /// Within how long messages come to another consumer when the process that has them is gone. Default 30 s.
    pub hands_on_within: Duration,
}

impl Default for BrokerPromises {
    fn default() -> Self {
        Self {
            clockless: false,
            in_order: true,
            returns_to_the_head: true,
            retries_come_first: true,
            settles_each: true,
            settles_across_outages: true,
            notices_within: Duration::from_secs(10),
            back_within: Duration::from_secs(7),
            hands_on_within: Duration::from_secs(30),
        }
    }
}
