//! Where a bus adapter is tried.

use std::net::SocketAddr;

use formicary_actors::group::BusConfig;
use formicary_protocol::Prefix;
use tokio::sync::mpsc::UnboundedSender;

use super::BusPromises;
use crate::Place;
use crate::place::{AnyPlace, Soon};
use crate::wire::Published;

/// A [`Place`] whose adapters are buses. Every case has prefixes of its own, so cases may share one server.
pub trait BusPlace: Place {
    /// What they promise.
    fn promises() -> BusPromises;

    /// How an adapter reaches the place. Each one that is started from it stands for a process of its own.
    fn bus(&self) -> BusConfig;

    /// How an adapter reaches the place through a proxy that listens at `address`. Cases that wait for it to find a silent
    /// connection are as fast as its heartbeat and its deadline for a connection are short. Without it the cases with
    /// faults of the network are left out.
    fn bus_at(&self, address: SocketAddr) -> Option<BusConfig> {
        let _ = address;
        None
    }

    /// How somebody who has this secret, which is wrong, tries to reach the place.
    fn bus_of_a_stranger(&self, secret: &str) -> Option<BusConfig> {
        let _ = secret;
        None
    }

    /// How often adapters have been refused so far, if the server counts it.
    fn attempts(&self) -> impl Future<Output = Option<u64>> {
        async { None }
    }

    /// Publishes to buses of this prefix as another program would, which knows nothing of Formicary. `false`: there is no
    /// such thing.
    fn publish_raw(&self, prefix: &Prefix, raw: Raw<'_>) -> impl Future<Output = bool> {
        let _ = (prefix, raw);
        async { false }
    }

    /// Publishes to a channel as Python `microagent` does, on whose wire the channel has the prefix, the signal and the sender. For
    /// an adapter that shares this wire; `false`: it does not.
    fn publish_on(&self, channel: &str, body: &[u8]) -> impl Future<Output = bool> {
        let _ = (channel, body);
        async { false }
    }

    /// Tells what is published to any channel, from when it returns and for as long as somebody listens. For an adapter that shares
    /// the wire of Python `microagent`, whose channels these are; `false`: it does not.
    fn overhear(&self, to: UnboundedSender<Published>) -> impl Future<Output = bool> {
        let _ = to;
        async { false }
    }
}

/// A signal, or a call, as another program publishes it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Raw<'a> {
    /// The signal's name.
    pub signal: &'a str,
    /// Who says that it sends it.
    pub sender: &'a str,
    /// The id of a call.
    pub call: Option<&'a str>,
    /// Any bytes.
    pub body: &'a [u8],
}

/// A [`BusPlace`] of any type.
pub(crate) trait AnyBusPlace: AnyPlace {
    fn promises(&self) -> BusPromises;
    fn bus(&self) -> BusConfig;
    fn bus_at(&self, address: SocketAddr) -> Option<BusConfig>;
    fn bus_of_a_stranger(&self, secret: &str) -> Option<BusConfig>;
    fn attempts(&self) -> Soon<'_, Option<u64>>;
    fn publish_raw<'a>(&'a self, prefix: &'a Prefix, raw: Raw<'a>) -> Soon<'a, bool>;
    fn publish_on<'a>(&'a self, channel: &'a str, body: &'a [u8]) -> Soon<'a, bool>;
    fn overhear(&self, to: UnboundedSender<Published>) -> Soon<'_, bool>;
}

impl<P: BusPlace> AnyBusPlace for P {
    fn promises(&self) -> BusPromises {
        P::promises()
    }

    fn bus(&self) -> BusConfig {
        BusPlace::bus(self)
    }

    fn bus_at(&self, address: SocketAddr) -> Option<BusConfig> {
        BusPlace::bus_at(self, address)
    }

    fn bus_of_a_stranger(&self, secret: &str) -> Option<BusConfig> {
        BusPlace::bus_of_a_stranger(self, secret)
    }

    fn attempts(&self) -> Soon<'_, Option<u64>> {
        Box::pin(BusPlace::attempts(self))
    }

    fn publish_raw<'a>(&'a self, prefix: &'a Prefix, raw: Raw<'a>) -> Soon<'a, bool> {
        Box::pin(BusPlace::publish_raw(self, prefix, raw))
    }

    fn publish_on<'a>(&'a self, channel: &'a str, body: &'a [u8]) -> Soon<'a, bool> {
        Box::pin(BusPlace::publish_on(self, channel, body))
    }

    fn overhear(&self, to: UnboundedSender<Published>) -> Soon<'_, bool> {
        Box::pin(BusPlace::overhear(self, to))
    }
}
