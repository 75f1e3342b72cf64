//! The bus on Redis.

use std::net::SocketAddr;
use std::time::Duration;

use formicary::conformance::wire::Published;
use formicary::conformance::{BusPlace, BusPromises, Missing, Place, Raw, Trouble};
use formicary::protocol::{Prefix, signal_channel};
use formicary::{BusConfig, RedisConfig};
use formicary_test_support::redis::Server;
use formicary_test_support::{Need, available};
use tokio::sync::mpsc::UnboundedSender;

const HEARTBEAT: Duration = Duration::from_secs(1);
const SECRET: &str = "swordfish-7c1f";

struct OnRedis(Server);

fn config(password: &str, address: SocketAddr) -> RedisConfig {
    format!("redis://:{password}@{address}").parse().unwrap()
}

impl OnRedis {
    fn place(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.0.port()).into()
    }

    /// Sets what the only user may do on channels.
    async fn may(&self, channels: &str) -> bool {
        self.0.command(&["ACL", "SETUSER", "default", channels]).await.unwrap();
        true
    }
}

impl Place for OnRedis {
    async fn begin() -> Result<Self, Missing> {
        available(Need::Redis).map_err(|missing| Missing(missing.to_string()))?;
        Ok(Self(Server::options().password(SECRET).start().await))
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(self.place())
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }

    async fn upset(&mut self, trouble: Trouble) -> bool {
        trouble == Trouble::Denied && self.may("resetchannels").await
    }

    async fn mend(&mut self, trouble: Trouble) -> bool {
        trouble == Trouble::Denied && self.may("allchannels").await
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
        BusConfig::redis(config(SECRET, self.place()))
    }

    fn bus_at(&self, address: SocketAddr) -> Option<BusConfig> {
        Some(BusConfig::redis(config(SECRET, address).heartbeat(HEARTBEAT).connect_deadline(HEARTBEAT)))
    }

    fn bus_of_a_stranger(&self, secret: &str) -> Option<BusConfig> {
        Some(BusConfig::redis(config(secret, self.place())))
    }

    async fn attempts(&self) -> Option<u64> {
        let info = self.0.command(&["INFO", "errorstats"]).await.unwrap().text()?;
        let counted = info.lines().find_map(|line| line.strip_prefix("errorstat_NOPERM:count="));
        Some(counted.map_or(0, |count| count.trim().parse().unwrap()))
    }

    async fn publish_raw(&self, prefix: &Prefix, raw: Raw<'_>) -> bool {
        let channel = signal_channel(prefix, raw.signal, raw.sender, raw.call);
        self.publish_on(&channel, raw.body).await
    }

    async fn publish_on(&self, channel: &str, body: &[u8]) -> bool {
        self.0.command(&[b"PUBLISH", channel.as_bytes(), body]).await.unwrap();
        true
    }

    async fn overhear(&self, to: UnboundedSender<Published>) -> bool {
        let mut connection = self.0.connect().await.unwrap();
        connection.command(&["PSUBSCRIBE", "*"]).await.unwrap();
        actix::spawn(async move {
            while let Ok(message) = connection.read().await {
                let [_, _, channel, body] = message.array() else { panic!("{message:?}") };
                let published = Published { channel: channel.text().unwrap(), body: body.bytes().unwrap().to_vec() };
                if to.send(published).is_err() {
                    break;
                }
            }
        });
        true
    }
}

formicary::conformance::bus!(OnRedis);
