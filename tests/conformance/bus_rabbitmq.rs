//! The bus on a real RabbitMQ.

use std::net::SocketAddr;
use std::time::Duration;

use formicary::conformance::{BusPlace, BusPromises, Missing, Place, Raw, Trouble};
use formicary::protocol::Prefix;
use formicary::{AmqpConfig, BusConfig};
use formicary_test_support::rabbitmq::{self, Server};
use formicary_test_support::{Need, available};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection, ConnectionProperties};

const HEARTBEAT: Duration = Duration::from_secs(1);

/// A virtual host of its own on the node that the tests of this process share, or a whole node.
enum OnRabbit {
    Shared(rabbitmq::Place<'static>),
    Alone(Box<Server>),
}

fn here() -> Result<(), Missing> {
    available(Need::RabbitMq).map_err(|missing| Missing(missing.to_string()))
}

/// What the user of a node's own URL may configure, write and read.
pub(super) async fn permit(server: &Server, pattern: &str) {
    let name = r#"<<"formicary">>"#;
    let to = format!("<<\"{pattern}\">>");
    let permit = "rabbit_auth_backend_internal:set_permissions";
    server.eval(&format!("{permit}({name}, {name}, {to}, {to}, {to}, <<\"test\">>)")).await;
}

/// Takes everything from that user but to connect.
pub(super) async fn deny(server: &Server) {
    permit(server, "").await;
    // A channel remembers what it was once allowed.
    let close = "rabbit_networking:close_connection(C, \"denied\")";
    server.eval(&format!("[{close} || C <- rabbit_networking:connections()], ok")).await;
}

impl OnRabbit {
    fn port(&self) -> u16 {
        match self {
            Self::Shared(place) => place.server().port(),
            Self::Alone(server) => server.port(),
        }
    }

    fn url(&self, port: u16) -> String {
        match self {
            Self::Shared(place) => place.url_by(port),
            Self::Alone(server) => server.url_by(port),
        }
    }

    fn config(&self, port: u16) -> AmqpConfig {
        self.url(port).parse().unwrap()
    }
}

impl Place for OnRabbit {
    async fn begin() -> Result<Self, Missing> {
        here()?;
        Ok(Self::Shared(rabbitmq::shared("bus").await))
    }

    async fn begin_alone() -> Result<Self, Missing> {
        here()?;
        Ok(Self::Alone(Box::new(Server::start().await)))
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(([127, 0, 0, 1], self.port()).into())
    }

    fn secret(&self) -> Option<String> {
        let url = self.url(self.port());
        let (_, rest) = url.split_once("://")?;
        Some(rest.split_once('@')?.0.split_once(':')?.1.to_owned())
    }

    async fn upset(&mut self, trouble: Trouble) -> bool {
        let (Self::Alone(server), Trouble::Denied) = (self, trouble) else { return false };
        deny(server).await;
        true
    }

    async fn mend(&mut self, trouble: Trouble) -> bool {
        let (Self::Alone(server), Trouble::Denied) = (self, trouble) else { return false };
        permit(server, ".*").await;
        true
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
}

impl BusPlace for OnRabbit {
    fn promises() -> BusPromises {
        let mut promises = BusPromises::default();
        promises.notices_within = 2 * HEARTBEAT;
        promises.back_within = 2 * HEARTBEAT;
        promises
    }

    fn bus(&self) -> BusConfig {
        BusConfig::amqp(self.config(self.port()))
    }

    fn bus_at(&self, address: SocketAddr) -> Option<BusConfig> {
        Some(BusConfig::amqp(self.config(address.port()).heartbeat(HEARTBEAT).connect_deadline(HEARTBEAT)))
    }

    fn bus_of_a_stranger(&self, secret: &str) -> Option<BusConfig> {
        let url = format!("amqp://stranger:{secret}@127.0.0.1:{}/x", self.port());
        Some(BusConfig::amqp(url.parse().unwrap()))
    }

    /// Refusals of a channel, which the node writes into its log.
    async fn attempts(&self) -> Option<u64> {
        let Self::Alone(server) = self else { return None };
        Some(server.log().matches("access_refused").count() as u64)
    }

    async fn publish_raw(&self, prefix: &Prefix, raw: Raw<'_>) -> bool {
        let runtime = lapin::runtime::default_runtime().unwrap();
        let url = self.url(self.port());
        let connection =
            Connection::connect_with_runtime(&url, ConnectionProperties::default(), runtime).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(Default::default()).await.unwrap();
        let mut properties = BasicProperties::default();
        if let Some(call) = raw.call {
            properties = properties.with_correlation_id(call.into()).with_reply_to("nowhere".into());
        }
        let (exchange, key) = (prefix.as_str().into(), format!("{}.{}", raw.signal, raw.sender).into());
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(exchange, key, options, raw.body, properties).await;
        sent.unwrap().await.unwrap();
        true
    }
}

formicary::conformance::bus!(OnRabbit);
