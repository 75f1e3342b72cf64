//! The broker on a real RabbitMQ.

use std::net::SocketAddr;
use std::time::Duration;

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place, Trouble};
use formicary::{AmqpConfig, BrokerConfig};
use formicary_test_support::rabbitmq::{self, Server};
use formicary_test_support::{Need, available};

const HEARTBEAT: Duration = Duration::from_millis(500);

/// A virtual host of its own on the node that the tests of this process share, or a whole node.
enum OnRabbit {
    Shared(rabbitmq::Place<'static>),
    Alone(Box<Server>),
}

impl OnRabbit {
    fn url(&self, port: u16) -> String {
        match self {
            Self::Shared(place) => place.url_by(port),
            Self::Alone(server) => server.url_by(port),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Shared(place) => place.server().port(),
            Self::Alone(server) => server.port(),
        }
    }

    fn config(&self, port: u16) -> BrokerConfig {
        let config: AmqpConfig = self.url(port).parse().unwrap();
        BrokerConfig::amqp(config.heartbeat(HEARTBEAT))
    }
}

fn here() -> Result<(), Missing> {
    available(Need::RabbitMq).map_err(|missing| Missing(missing.to_string()))
}

impl Place for OnRabbit {
    async fn begin() -> Result<Self, Missing> {
        here()?;
        Ok(Self::Shared(rabbitmq::shared("conformance").await))
    }

    async fn begin_alone() -> Result<Self, Missing> {
        here()?;
        Ok(Self::Alone(Box::new(Server::start().await)))
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(([127, 0, 0, 1], self.port()).into())
    }

    async fn stop(&mut self) -> bool {
        let Self::Alone(server) = self else { return false };
        server.stop().await;
        true
    }

    async fn restart(&mut self) -> bool {
        let Self::Alone(server) = self else { return false };
        server.restart().await;
        true
    }

    async fn upset(&mut self, trouble: Trouble) -> bool {
        let Self::Alone(server) = self else { return false };
        if trouble == Trouble::Full {
            server.memory_alarm(true).await;
        }
        trouble == Trouble::Full
    }

    async fn mend(&mut self, trouble: Trouble) -> bool {
        let Self::Alone(server) = self else { return false };
        if trouble == Trouble::Full {
            server.memory_alarm(false).await;
        }
        trouble == Trouble::Full
    }

    fn secret(&self) -> Option<String> {
        match self {
            Self::Shared(place) => Some(place.password().to_owned()),
            Self::Alone(_) => None,
        }
    }
}

impl BrokerPlace for OnRabbit {
    fn promises() -> BrokerPromises {
        let mut promises = BrokerPromises::default();
        // What is tried again is a copy at the end of its queue, and what was in hand comes again with every connection.
        promises.retries_come_first = false;
        promises.settles_across_outages = false;
        promises.notices_within = HEARTBEAT * 2;
        promises
    }

    fn broker(&self) -> BrokerConfig {
        self.config(self.port())
    }

    fn broker_at(&self, address: SocketAddr) -> Option<BrokerConfig> {
        Some(self.config(address.port()))
    }
}

formicary::conformance::broker!(OnRabbit);
