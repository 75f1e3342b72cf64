//! What a case of the broker suite plays on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use formicary_actors::Env;
use formicary_actors::broker::Broker;
use formicary_actors::contract::{Capabilities, ConnectionState};
use formicary_actors::group::{BrokerConfig, Group, GroupBuilder};
use formicary_protocol::Prefix;

use super::BrokerPromises;
use super::cast::declarations;
use super::place::AnyBrokerPlace;
use crate::left_out::{self, LeftOut};
use crate::place::Trouble;
use crate::proxy::Proxy;
use crate::wait::{patience, until};

/// How much later than promised a thing may be on a busy machine.
pub(crate) fn slack() -> Duration {
    Duration::from_secs(2) * patience()
}

/// A place, and what is promised there.
pub(crate) struct Stage {
    /// The test that this is.
    pub name: String,
    pub place: Box<dyn AnyBrokerPlace>,
    pub promises: BrokerPromises,
}

/// The environment of a new process.
pub(crate) fn env() -> Env {
    let mut env = Env::new(Prefix::default(), Arc::new(declarations()));
    env.limits.send_deadline *= patience();
    env
}

fn start(config: &BrokerConfig, env: Env) -> Broker {
    config.start(env).unwrap_or_else(|error| panic!("an adapter does not start: {error}"))
}

fn no_network() -> LeftOut {
    LeftOut("its place has no `address` with a `broker_at`".into())
}

fn hook(there: bool, name: &str) -> Result<(), LeftOut> {
    if there { Ok(()) } else { Err(no_hook(name)) }
}

fn no_hook(name: &str) -> LeftOut {
    LeftOut(format!("its place has no hook `{name}`"))
}

pub(crate) async fn up(broker: &Broker, within: Duration) {
    until(within, "the connection", async || broker.connection() == ConnectionState::Up).await;
}

impl Stage {
    /// An adapter, as a new process would start it.
    pub fn broker(&self) -> Broker {
        self.broker_in(env())
    }

    pub fn broker_in(&self, env: Env) -> Broker {
        start(&self.place.broker(), env)
    }

    /// A group with an adapter of its own, as a new process.
    pub fn group(&self) -> GroupBuilder {
        Group::builder().declarations(declarations()).broker(self.place.broker())
    }

    /// Says what was measured.
    pub fn report(&self, measured: std::fmt::Arguments<'_>) {
        left_out::report(&self.name, measured);
    }

    /// Lets time pass as it does: other threads know nothing of a paused clock.
    pub fn real_time(&self) {
        if self.promises.clockless {
            tokio::time::resume();
        }
    }

    pub async fn push_raw(&self, queue: &str, body: &[u8]) -> Result<(), LeftOut> {
        hook(self.place.push_raw(queue, body).await, "push_raw")
    }

    pub async fn take_raw(&self, queue: &str) -> Result<Vec<Vec<u8>>, LeftOut> {
        self.place.take_raw(queue).await.ok_or_else(|| no_hook("take_raw"))
    }

    pub async fn route_raw(&self, exchange: &str, key: &str, body: &[u8]) -> Result<(), LeftOut> {
        hook(self.place.route_raw(exchange, key, body).await, "route_raw")
    }

    pub async fn stop(&mut self) -> Result<(), LeftOut> {
        hook(self.place.stop().await, "stop")
    }

    pub async fn restart(&mut self) -> Result<(), LeftOut> {
        hook(self.place.restart().await, "restart")
    }

    pub async fn upset(&mut self, trouble: Trouble) -> Result<(), LeftOut> {
        hook(self.place.upset(trouble).await, &format!("upset(Trouble::{trouble:?})"))
    }

    /// A proxy in front of the server.
    pub async fn proxy(&self) -> Result<Proxy, LeftOut> {
        let address = self.place.address().ok_or_else(no_network)?;
        self.reaching(address)?;
        Ok(Proxy::start(address.port()).await)
    }

    /// How an adapter reaches the server through what listens at an address.
    pub fn reaching(&self, address: SocketAddr) -> Result<BrokerConfig, LeftOut> {
        self.place.broker_at(address).ok_or_else(no_network)
    }

    /// An adapter that reaches its server through the proxy.
    pub fn behind(&self, proxy: &Proxy) -> Broker {
        self.behind_in(proxy, env())
    }

    pub fn behind_in(&self, proxy: &Proxy, env: Env) -> Broker {
        start(&self.reaching(proxy.address()).unwrap(), env)
    }

    /// Leaves the case out unless the adapter says that it can.
    pub async fn can(&self, what: &str, can: impl Fn(&Capabilities) -> bool) -> Result<(), LeftOut> {
        let described = self.broker().describe().await.unwrap_or_else(|error| panic!("{error}"));
        if can(&described.capabilities) {
            return Ok(());
        }
        Err(LeftOut(format!("the {} broker does not say that it can: {what}", described.adapter)))
    }

    /// Leaves the case out unless it is promised.
    pub fn promises(&self, what: &str, promised: impl Fn(&BrokerPromises) -> bool) -> Result<(), LeftOut> {
        if promised(&self.promises) { Ok(()) } else { Err(LeftOut(format!("not promised: {what}"))) }
    }
}
