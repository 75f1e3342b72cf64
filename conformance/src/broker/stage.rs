//! What a case of the broker suite plays on.

use std::sync::Arc;

use formicary_actors::Env;
use formicary_actors::broker::Broker;
use formicary_actors::contract::Capabilities;
use formicary_actors::group::{BrokerConfig, Group, GroupBuilder};
use formicary_protocol::{Declarations, Prefix};

use super::BrokerPromises;
use super::place::AnyBrokerPlace;
use crate::left_out::LeftOut;
use crate::proxy::Proxy;

/// A place, and what is promised there.
pub(crate) struct Stage {
    pub place: Box<dyn AnyBrokerPlace>,
    pub promises: BrokerPromises,
}

const DECLARATIONS: &str = r#"{"queues": [
    {"name": "mailer"}, {"name": "second"}, {"name": "jobs", "message": {"n": "u64"}}
]}"#;

/// The environment of a new process.
pub(crate) fn env() -> Env {
    Env::new(Prefix::default(), Arc::new(declarations()))
}

fn declarations() -> Declarations {
    Declarations::parse(DECLARATIONS, "conformance").unwrap_or_else(|error| panic!("{error}"))
}

fn start(config: &BrokerConfig, env: Env) -> Broker {
    config.start(env).unwrap_or_else(|error| panic!("an adapter does not start: {error}"))
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

    /// A proxy in front of the server.
    pub async fn proxy(&self) -> Result<Proxy, LeftOut> {
        let hooks = "its place has no `address` with a `broker_at`";
        let address = self.place.address().ok_or_else(|| LeftOut(hooks.into()))?;
        self.place.broker_at(address).ok_or_else(|| LeftOut(hooks.into()))?;
        Ok(Proxy::start(address.port()).await)
    }

    /// An adapter that reaches its server through the proxy.
    pub fn behind(&self, proxy: &Proxy) -> Broker {
        start(&self.config_behind(proxy), env())
    }

    pub fn config_behind(&self, proxy: &Proxy) -> BrokerConfig {
        let config = self.place.broker_at(proxy.address());
        config.unwrap_or_else(|| panic!("`broker_at` gave an adapter before, and gives none now"))
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
