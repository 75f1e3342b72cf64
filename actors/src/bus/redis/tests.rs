//! Closing, which only a group does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_protocol::{Bytes, Declarations, Prefix};
use formicary_test_support::{proxy::Proxy, redis::Server, require_redis, wait};

use super::start;
use crate::bus::Bus;
use crate::contract::ConnectionState;
use crate::{Env, RedisConfig, SendError};

const S: Duration = Duration::from_secs(1);

fn bus(url: &str) -> Bus {
    let declarations = Declarations::parse(r#"{"signals": [{"name": "ping", "providing_args": []}]}"#, "test").unwrap();
    let config: RedisConfig = url.parse().unwrap();
    start(&config, Env::new(Prefix::default(), Arc::new(declarations))).unwrap()
}

async fn publish(bus: &Bus) -> Result<Option<u64>, SendError> {
    bus.publish_body("ping".into(), "me".into(), Bytes::from_static(b"{}"), bus.send_deadline()).await
}

#[actix::test]
async fn a_close_carries_out_what_was_accepted_and_refuses_the_rest() {
    if !require_redis("a_close_carries_out_what_was_accepted_and_refuses_the_rest") {
        return;
    }
    let server = Server::start().await;
    let bus = bus(&server.url());
    let deadline = tokio::time::Instant::now() + 5 * S;
    let (published, ()) = tokio::join!(biased; publish(&bus), bus.close(deadline));
    assert_eq!(published.unwrap(), Some(0));
    assert_eq!(publish(&bus).await.unwrap_err().to_string(), "not sent: the bus is closed");
    assert_eq!(bus.connection(), ConnectionState::Closed);
}

#[actix::test]
async fn a_close_without_a_server_gives_up_at_its_deadline() {
    if !require_redis("a_close_without_a_server_gives_up_at_its_deadline") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let bus = bus(&proxy.url());
    publish(&bus).await.unwrap();
    proxy.refuse().await;
    proxy.drop_all().await;
    wait::until(S, "the loss", async || matches!(bus.connection(), ConnectionState::Down { .. })).await;
    let start = Instant::now();
    let deadline = tokio::time::Instant::now() + S / 2;
    let (published, ()) = tokio::join!(biased; publish(&bus), bus.close(deadline));
    assert!(matches!(published, Err(SendError::NotSent { .. })), "{published:?}");
    assert!(start.elapsed() >= S / 2 && start.elapsed() < S, "{:?}", start.elapsed());
}
