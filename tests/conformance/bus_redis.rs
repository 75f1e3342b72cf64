//! The bus on Redis.

use std::net::SocketAddr;
use std::time::Duration;

use formicary::conformance::{BusPlace, BusPromises, Missing, Place, Raw};
use formicary::protocol::{Prefix, signal_channel};
use formicary::{BusConfig, RedisConfig};
use formicary_test_support::redis::Server;
use formicary_test_support::{Need, available};

const HEARTBEAT: Duration = Duration::from_secs(1);

struct OnRedis(Server);

impl OnRedis {
    fn config(&self, address: SocketAddr) -> RedisConfig {
        format!("redis://{address}").parse().unwrap()
    }
}

impl Place for OnRedis {
    async fn begin() -> Result<Self, Missing> {
        available(Need::Redis).map_err(|missing| Missing(missing.to_string()))?;
        Ok(Self(Server::start().await))
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(([127, 0, 0, 1], self.0.port()).into())
    }

    async fn stop(&mut self) -> bool {
        self.0.stop().await;
        true
    }

    async fn restart(&mut self) -> bool {
        self.0.restart().await;
        true
    }
}

impl BusPlace for OnRedis {
    fn promises() -> BusPromises {
        let mut promises = BusPromises::default();
        promises.notices_within = 2 * HEARTBEAT;
        promises.back_within = 2 * HEARTBEAT;
        promises
    }

    fn bus(&self) -> BusConfig {
        BusConfig::redis(self.config(([127, 0, 0, 1], self.0.port()).into()))
    }

    fn bus_at(&self, address: SocketAddr) -> Option<BusConfig> {
        Some(BusConfig::redis(self.config(address).heartbeat(HEARTBEAT).connect_deadline(HEARTBEAT)))
    }

    async fn publish_raw(&self, prefix: &Prefix, raw: Raw<'_>) -> bool {
        let channel = signal_channel(prefix, raw.signal, raw.sender, raw.call);
        self.0.command(&[b"PUBLISH", channel.as_bytes(), raw.body]).await.unwrap();
        true
    }
}

formicary::conformance::bus!(OnRedis);
