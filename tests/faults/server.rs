//! The server that bus and broker of a test are at: a Redis or a RabbitMQ, and what a test does to it.

use formicary_test_support::{rabbitmq, redis, require_rabbitmq, require_redis};

/// On which kind of server a body runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Redis,
    RabbitMq,
}

pub enum Server {
    Redis(redis::Server),
    /// A place of the test's own on the node that all tests of the process share: a node takes seconds to start.
    Place(rabbitmq::Place<'static>),
    /// A node of the test's own, which it may stop, kill and freeze.
    Node(Box<rabbitmq::Server>),
}

impl Kind {
    /// Whether this machine has it; if not, `test` is left out.
    pub fn is_there(self, test: &str) -> bool {
        match self {
            Self::Redis => require_redis(test),
            Self::RabbitMq => require_rabbitmq(test),
        }
    }

    /// A server that goes on for as long as the test does.
    pub async fn start(self) -> Server {
        match self {
            Self::Redis => Server::Redis(redis::Server::start().await),
            Self::RabbitMq => Server::Place(rabbitmq::shared("faults").await),
        }
    }

    /// A server that the test may take away, and that has its data when it is back: on Redis what it has answered, on
    /// RabbitMQ what it has confirmed.
    pub async fn start_alone(self) -> Server {
        match self {
            Self::Redis => Server::Redis(redis::Server::options().append_only().start().await),
            Self::RabbitMq => Server::Node(Box::new(rabbitmq::Server::start().await)),
        }
    }

    /// The same with this password, and its URL.
    pub async fn start_locked(self, password: &str) -> (Server, String) {
        match self {
            Self::Redis => {
                let redis = redis::Server::options().append_only().password(password).start().await;
                let url = redis.url();
                (Server::Redis(redis), url)
            }
            Self::RabbitMq => {
                let server = self.start_alone().await;
                let place = server.place().await;
                place.change_password(password).await;
                let url = server.url().replace(place.password(), password);
                (server, url)
            }
        }
    }
}

impl Server {
    pub fn url(&self) -> String {
        match self {
            Self::Redis(redis) => redis.url(),
            Self::Place(place) => place.url(),
            Self::Node(node) => node.url(),
        }
    }

    /// The URL of a proxy in front of it.
    pub fn url_by(&self, port: u16) -> String {
        match self {
            Self::Redis(_) => format!("redis://127.0.0.1:{port}"),
            Self::Place(place) => place.url_by(port),
            Self::Node(node) => node.url_by(port),
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Redis(redis) => redis.port(),
            Self::Place(place) => place.server().port(),
            Self::Node(node) => node.port(),
        }
    }

    pub async fn stop(&mut self) {
        match self {
            Self::Redis(redis) => redis.stop().await,
            Self::Place(_) => not_ours(),
            Self::Node(node) => node.stop().await,
        }
    }

    /// Ends it as a crash of its machine would.
    pub async fn kill(&mut self) {
        match self {
            Self::Redis(redis) => redis.kill().await,
            Self::Place(_) => not_ours(),
            Self::Node(node) => node.kill().await,
        }
    }

    pub async fn restart(&mut self) {
        match self {
            Self::Redis(redis) => redis.restart().await,
            Self::Place(_) => not_ours(),
            Self::Node(node) => node.restart().await,
        }
    }

    /// It stands still, and connections stay open.
    pub fn pause(&self) {
        match self {
            Self::Redis(redis) => redis.pause(),
            Self::Place(_) => not_ours(),
            Self::Node(node) => node.pause(),
        }
    }

    pub fn resume(&self) {
        match self {
            Self::Redis(redis) => redis.resume(),
            Self::Place(_) => not_ours(),
            Self::Node(node) => node.resume(),
        }
    }

    /// Closes all connections to it.
    pub async fn kill_connections(&self) {
        match self {
            Self::Redis(redis) => {
                // One that subscribes is `pubsub`, all others are `normal`.
                for kind in ["pubsub", "normal"] {
                    redis.command(&["CLIENT", "KILL", "TYPE", kind]).await.unwrap();
                }
            }
            Self::Place(_) | Self::Node(_) => self.place().await.close_connections().await,
        }
    }

    /// Where the queues are on a RabbitMQ.
    pub async fn place(&self) -> rabbitmq::Place<'_> {
        match self {
            Self::Redis(_) => panic!("a Redis has no places"),
            Self::Place(place) => place.clone(),
            Self::Node(node) => node.place("formicary").await,
        }
    }
}

fn not_ours() -> ! {
    panic!("others are on this node, too: the test needs one of its own")
}
