//! One place on a RabbitMQ, with groups and Python peers on it.

use formicary::contract::SendOptions;
use formicary::{AmqpConfig, BrokerConfig, Group, GroupBuilder, Value};
use formicary_test_support::python::Peer;
use formicary_test_support::rabbitmq::{Place, shared};
use formicary_test_support::{require_python, require_rabbitmq, workspace};

use crate::stage::SOON;

pub struct Stage {
    pub place: Place<'static>,
}

impl Stage {
    /// A stage, or `None` where RabbitMQ or Python is missing.
    pub async fn new(test: &str) -> Option<Stage> {
        match require_python(test) && require_rabbitmq(test) {
            true => Some(Stage { place: shared(test).await }),
            false => None,
        }
    }

    /// Our broker, as a Python cluster wants it.
    pub fn group(&self) -> GroupBuilder {
        self.group_on(self.config().microagent())
    }

    pub fn group_on(&self, config: AmqpConfig) -> GroupBuilder {
        Group::builder().declarations(crate::declarations()).broker(BrokerConfig::amqp(config))
    }

    pub fn config(&self) -> AmqpConfig {
        self.place.url().parse().unwrap()
    }

    /// Starts `peer.py` without a bus; it is ready when its consumers are live.
    pub fn peer(&self, more: &[&str]) -> impl Future<Output = Peer> + use<> {
        let url = self.place.url();
        let signals = workspace().join("tests/interop/signals.json");
        let signals = signals.to_string_lossy();
        let mut args = vec!["--broker", &*url, "--signals", &*signals];
        args.extend(more);
        Peer::start("peer.py", &args)
    }
}

/// The first `count` messages that a peer took from a queue.
pub async fn taken(peer: &Peer, queue: &str, count: usize) -> Vec<Value> {
    peer.wait_jsons(count, |line| line["consumed"] == queue, SOON).await
}

/// Sends with this topic.
pub fn topical(topic: &str) -> SendOptions {
    let mut options = SendOptions::default();
    options.topic = Some(topic.into());
    options
}
