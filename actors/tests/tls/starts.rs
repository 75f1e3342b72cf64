//! A group whose server cannot be trusted.

use formicary_actors::group::Group;
use formicary_actors::group::{BrokerConfig, BusConfig};
use formicary_actors::{AmqpConfig, RedisConfig};
use formicary_test_support::redis::Server;
use formicary_test_support::require_redis;
use formicary_test_support::tls::Authority;
use tokio::time::timeout;

use crate::common::*;

/// The start does not try for as long as it would on a server that may come back.
#[actix::test]
async fn a_start_ends_at_once_when_tls_has_to_be_mended() {
    if !require_redis("a_start_ends_at_once_when_tls_has_to_be_mended") {
        return;
    }
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::options().tls(authority.server("127.0.0.1")).start().await;
    let port = server.tls_port().unwrap();
    let missing = std::path::Path::new("/missing.pem");
    for (file, told) in [(stranger.file(), "signed by nobody"), (missing, "the CA file /missing.pem: No such file")] {
        let redis: RedisConfig = format!("rediss://:swordfish@127.0.0.1:{port}").parse().unwrap();
        let bus = BusConfig::redis(redis.ca_file(file));
        // The handshake comes before the protocol: any server with TLS does.
        let amqp: AmqpConfig = format!("amqps://anna:swordfish@127.0.0.1:{port}").parse().unwrap();
        let broker = BrokerConfig::amqp(amqp.ca_file(file));
        for group in [Group::builder().bus(bus), Group::builder().broker(broker)] {
            let started = timeout(3 * S, group.start()).await.expect("the start ends at once");
            let error = started.unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(&format!("127.0.0.1:{port}")), "{error}");
            assert!(!error.contains("swordfish"), "{error}");
        }
    }
}
