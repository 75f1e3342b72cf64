//! The start of a group's bus and broker.

use std::time::Duration;

use actix_rt::Arbiter;

use super::options::BrokerKind;
use super::{BrokerConfig, Group};
use crate::Env;
use crate::broker::Broker;
use crate::bus::until_up;
use crate::error::Error;

/// How long the first connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(6);

/// Returns when bus and broker are connected.
pub(super) async fn connected(group: &Group) -> Result<(), Error> {
    let begun = tokio::time::Instant::now();
    if let Err(reason) = until_up(&mut group.bus.state(), CONNECT_WITHIN).await {
        let address = group.bus.describe().await.map(|description| description.address).unwrap_or_default();
        return Err(Error::Unreachable { what: "bus", address, reason });
    }
    // One time for both; a broker that waited beside its bus is up or known to be down by now.
    let left = CONNECT_WITHIN.saturating_sub(begun.elapsed()).max(Duration::from_millis(500));
    if let Err(reason) = until_up(&mut group.broker.state(), left).await {
        let address = group.broker.describe().await.map(|description| description.address).unwrap_or_default();
        return Err(Error::Unreachable { what: "broker", address, reason });
    }
    Ok(())
}

pub(super) async fn start_broker(config: &BrokerConfig, env: Env, owned: &mut Vec<Arbiter>) -> Result<Broker, Error> {
    match &config.0 {
        // Beside the agents, where a paused clock holds.
        BrokerKind::Memory(_) | BrokerKind::Recording(_) => config.start(env),
        _ => {
            let config = config.clone();
            on_its_own_thread(move || config.start(env), owned).await
        }
    }
}

/// A broker with connections gets a thread of its own, so that a handler that holds an arbiter cannot stop its heartbeat.
async fn on_its_own_thread(
    start: impl FnOnce() -> Result<Broker, Error> + Send + 'static,
    owned: &mut Vec<Arbiter>,
) -> Result<Broker, Error> {
    let arbiter = Arbiter::new();
    let (sender, started) = tokio::sync::oneshot::channel();
    arbiter.spawn_fn(move || drop(sender.send(start())));
    let broker = started.await.unwrap_or(Err(Error::Closed("the broker's thread")));
    match broker {
        Ok(broker) => {
            owned.push(arbiter);
            Ok(broker)
        }
        Err(error) => {
            super::end_arbiters(vec![arbiter]).await;
            Err(error)
        }
    }
}
