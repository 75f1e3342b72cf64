//! The broker on a real RabbitMQ.

use std::net::SocketAddr;
use std::time::Duration;

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place, Trouble};
use formicary::{AmqpConfig, BrokerConfig};
use formicary_test_support::rabbitmq::{self, Server};
use formicary_test_support::{Need, available};
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const HEARTBEAT: Duration = Duration::from_secs(1);

/// A place of its own on the node that the tests share, or a node of its own.
enum OnRabbitMq {
    Shared(rabbitmq::Place<'static>),
    Alone(Box<Server>),
}

impl OnRabbitMq {
    fn config(url: &str) -> BrokerConfig {
        let config: AmqpConfig = url.parse().unwrap();
        BrokerConfig::amqp(config.heartbeat(HEARTBEAT))
    }

    fn server(&self) -> &Server {
        match self {
            Self::Shared(place) => place.server(),
            Self::Alone(server) => server,
        }
    }

    fn url_by(&self, port: u16) -> String {
        match self {
            Self::Shared(place) => place.url_by(port),
            Self::Alone(server) => server.url_by(port),
        }
    }

    /// A channel of the driver, without anything of ours.
    async fn other_program(&self) -> (Connection, Channel) {
        let url = self.url_by(self.server().port());
        let runtime = lapin::runtime::default_runtime().unwrap();
        let connection = Connection::connect_with_runtime(&url, ConnectionProperties::default(), runtime).await;
        let connection = connection.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// The virtual host, which has the name of its user.
    async fn place(&self) -> rabbitmq::Place<'_> {
        match self {
            Self::Shared(place) => place.clone(),
            Self::Alone(server) => server.place("formicary").await,
        }
    }
}

impl Place for OnRabbitMq {
    async fn begin() -> Result<Self, Missing> {
        available(Need::RabbitMq).map_err(|missing| Missing(missing.to_string()))?;
        Ok(Self::Shared(rabbitmq::shared("conformance").await))
    }

    async fn begin_alone() -> Result<Self, Missing> {
        available(Need::RabbitMq).map_err(|missing| Missing(missing.to_string()))?;
        Ok(Self::Alone(Box::new(Server::start().await)))
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(([127, 0, 0, 1], self.server().port()).into())
    }

    async fn stop(&mut self) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::Alone(server) => {
                server.stop().await;
                true
            }
        }
    }

    async fn restart(&mut self) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::Alone(server) => {
                server.restart().await;
                true
            }
        }
    }

    async fn upset(&mut self, trouble: Trouble) -> bool {
        let place = self.place().await;
        match (&*self, trouble) {
            (Self::Alone(server), Trouble::Full) => server.memory_alarm(true).await,
            (_, Trouble::WrongKind) => place.replace_queue("mailer").await,
            (_, Trouble::Denied) => {
                // What a channel may do it remembers for as long as it is open.
                place.forbid().await;
                place.close_connections().await;
            }
            _ => return false,
        }
        true
    }

    async fn mend(&mut self, trouble: Trouble) -> bool {
        let place = self.place().await;
        match (&*self, trouble) {
            (Self::Alone(server), Trouble::Full) => server.memory_alarm(false).await,
            (_, Trouble::WrongKind) => place.delete_queue("mailer").await,
            (_, Trouble::Denied) => place.allow().await,
            _ => return false,
        }
        true
    }

    fn secret(&self) -> Option<String> {
        match self {
            Self::Shared(place) => Some(place.password().to_owned()),
            Self::Alone(_) => None,
        }
    }
}

impl BrokerPlace for OnRabbitMq {
    fn promises() -> BrokerPromises {
        let mut promises = BrokerPromises::default();
        // A retry is a message of its own, behind what waits.
        promises.retries_come_first = false;
        // The server gives what was in hand to others as soon as the connection ends.
        promises.settles_across_outages = false;
        promises.notices_within = HEARTBEAT * 2;
        promises.hands_on_within = HEARTBEAT * 3;
        promises
    }

    fn broker(&self) -> BrokerConfig {
        Self::config(&self.url_by(self.server().port()))
    }

    fn broker_at(&self, address: SocketAddr) -> Option<BrokerConfig> {
        Some(Self::config(&self.url_by(address.port())))
    }

    async fn push_raw(&self, queue: &str, body: &[u8]) -> bool {
        let (connection, channel) = self.other_program().await;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        if channel.queue_declare(queue.into(), passive, FieldTable::default()).await.is_err() {
            let durable = QueueDeclareOptions { durable: true, ..Default::default() };
            let other = connection.create_channel().await.unwrap();
            other.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
        }
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(Default::default()).await.unwrap();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sent = channel.basic_publish("".into(), queue.into(), Default::default(), body, properties).await;
        sent.unwrap().await.unwrap();
        true
    }

    async fn take_raw(&self, queue: &str) -> Option<Vec<Vec<u8>>> {
        let (_connection, channel) = self.other_program().await;
        let mut taken = Vec::new();
        while let Some(one) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap() {
            taken.push(one.delivery.data);
        }
        Some(taken)
    }

    async fn route_raw(&self, exchange: &str, key: &str, body: &[u8]) -> bool {
        let (_connection, channel) = self.other_program().await;
        channel.confirm_select(Default::default()).await.unwrap();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        sent.unwrap().await.unwrap();
        true
    }

    fn broker_beside_python(&self) -> Option<BrokerConfig> {
        let config: AmqpConfig = self.url_by(self.server().port()).parse().unwrap();
        Some(BrokerConfig::amqp(config.heartbeat(HEARTBEAT).microagent()))
    }
}

formicary::conformance::broker!(OnRabbitMq);
