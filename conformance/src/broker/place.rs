//! Where a broker adapter is tried.

use std::net::SocketAddr;

use formicary_actors::group::BrokerConfig;

use super::BrokerPromises;
use crate::Place;
use crate::place::{AnyPlace, Soon};

/// A [`Place`] whose adapters are brokers.
pub trait BrokerPlace: Place {
    /// What they promise.
    fn promises() -> BrokerPromises;

    /// How an adapter reaches the place. Each one that is started from it stands for a process of its own.
    fn broker(&self) -> BrokerConfig;

    /// How an adapter reaches the place through a proxy that listens at `address`. Without it the cases with faults of the
    /// network are left out.
    fn broker_at(&self, address: SocketAddr) -> Option<BrokerConfig> {
        let _ = address;
        None
    }

    /// Puts a body into a queue as another program would, which knows nothing of Formicary. `false`: there is no such
    /// thing.
    fn push_raw(&self, queue: &str, body: &[u8]) -> impl Future<Output = bool> {
        let _ = (queue, body);
        async { false }
    }

    /// Takes every body that waits in a queue, the first one first, as another program would. `None`: there is no such
    /// thing.
    fn take_raw(&self, queue: &str) -> impl Future<Output = Option<Vec<Vec<u8>>>> {
        let _ = queue;
        async { None }
    }

    /// Sends a body to an exchange as another program would. `false`: there is no such thing.
    fn route_raw(&self, exchange: &str, key: &str, body: &[u8]) -> impl Future<Output = bool> {
        let _ = (exchange, key, body);
        async { false }
    }

    /// How an adapter reaches the place to share its queues with agents of Python `microagent`. `None`: it does not say that it
    /// shares their wire.
    fn broker_beside_python(&self) -> Option<BrokerConfig> {
        None
    }
}

/// A [`BrokerPlace`] of any type.
pub(crate) trait AnyBrokerPlace: AnyPlace {
    fn broker(&self) -> BrokerConfig;
    fn broker_at(&self, address: SocketAddr) -> Option<BrokerConfig>;
    fn push_raw<'a>(&'a self, queue: &'a str, body: &'a [u8]) -> Soon<'a, bool>;
    fn take_raw<'a>(&'a self, queue: &'a str) -> Soon<'a, Option<Vec<Vec<u8>>>>;
    fn route_raw<'a>(&'a self, exchange: &'a str, key: &'a str, body: &'a [u8]) -> Soon<'a, bool>;
    fn broker_beside_python(&self) -> Option<BrokerConfig>;
}

impl<P: BrokerPlace> AnyBrokerPlace for P {
    fn broker(&self) -> BrokerConfig {
        BrokerPlace::broker(self)
    }

    fn broker_at(&self, address: SocketAddr) -> Option<BrokerConfig> {
        BrokerPlace::broker_at(self, address)
    }

    fn push_raw<'a>(&'a self, queue: &'a str, body: &'a [u8]) -> Soon<'a, bool> {
        Box::pin(BrokerPlace::push_raw(self, queue, body))
    }

    fn take_raw<'a>(&'a self, queue: &'a str) -> Soon<'a, Option<Vec<Vec<u8>>>> {
        Box::pin(BrokerPlace::take_raw(self, queue))
    }

    fn route_raw<'a>(&'a self, exchange: &'a str, key: &'a str, body: &'a [u8]) -> Soon<'a, bool> {
        Box::pin(BrokerPlace::route_raw(self, exchange, key, body))
    }

    fn broker_beside_python(&self) -> Option<BrokerConfig> {
        BrokerPlace::broker_beside_python(self)
    }
}
