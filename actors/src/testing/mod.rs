//! Test doubles: a bus and a broker that record, and a harness around one agent.
//!
//! [`Harness`] starts one agent with a [`RecordingBus`] and a [`RecordingBroker`], gives it signals, messages and ticks, and
//! returns what its handlers returned. The doubles can also be given to a whole [`Group`](crate::group::Group), by
//! [`BusConfig::recording`](crate::group::BusConfig::recording) and
//! [`BrokerConfig::recording`](crate::group::BrokerConfig::recording). Nothing of it needs a server, and it works with a
//! paused clock.
//!
//! For a handler that is called as the plain method that it is there are the `recording()` twins, such as
//! [`Publish::recording`](crate::agent::Publish::recording); for how several agents work together there is `memory://`.

mod broker;
mod bus;
mod harness;
mod ledger;
mod settled;
mod view;

pub use broker::RecordingBroker;
pub use bus::RecordingBus;
pub use harness::{Harness, HarnessBuilder, Received, Returned};
pub use settled::Settled;
