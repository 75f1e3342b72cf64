//! The broker on a real Redis.

use std::net::SocketAddr;
use std::time::Duration;

use formicary::conformance::{BrokerPlace, BrokerPromises, Missing, Place, Trouble};
use formicary::{BrokerConfig, RedisConfig};
use formicary_test_support::redis::Server;
use formicary_test_support::{Need, available};

const PASSWORD: &str = "a-secret-of-this-server";
const LEASE: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_millis(500);

struct OnRedis(Server);

impl OnRedis {
    fn config(url: &str) -> BrokerConfig {
        let config: RedisConfig = url.parse().unwrap();
        BrokerConfig::redis(config.lease(LEASE).heartbeat(HEARTBEAT).connect_deadline(HEARTBEAT * 2))
    }
}

impl Place for OnRedis {
    async fn begin() -> Result<Self, Missing> {
        available(Need::Redis).map_err(|missing| Missing(missing.to_string()))?;
        Ok(Self(Server::options().append_only().password(PASSWORD).start().await))
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

    async fn upset(&mut self, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Full => {
                let info = self.0.command(&["INFO", "memory"]).await.unwrap().text().unwrap();
                let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
                let most = used.parse::<u64>().unwrap() + (2 << 20);
                self.0.command(&["CONFIG", "SET", "maxmemory", &most.to_string()]).await.unwrap();
            }
            Trouble::WrongKind => drop(self.0.command(&["SET", "mailer", "x"]).await.unwrap()),
            Trouble::Denied => drop(self.0.command(&["ACL", "SETUSER", "default", "resetkeys"]).await.unwrap()),
            _ => return false,
        }
        true
    }

    async fn mend(&mut self, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Full => drop(self.0.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap()),
            Trouble::WrongKind => drop(self.0.command(&["DEL", "mailer"]).await.unwrap()),
            Trouble::Denied => drop(self.0.command(&["ACL", "SETUSER", "default", "allkeys"]).await.unwrap()),
            _ => return false,
        }
        true
    }

    fn secret(&self) -> Option<String> {
        Some(PASSWORD.to_owned())
    }
}

impl BrokerPlace for OnRedis {
    fn promises() -> BrokerPromises {
        let mut promises = BrokerPromises::default();
        promises.notices_within = HEARTBEAT * 2;
        promises.hands_on_within = LEASE * 3 / 2;
        promises.back_within = HEARTBEAT * 4;
        promises
    }

    fn broker(&self) -> BrokerConfig {
        Self::config(&self.0.url())
    }

    fn broker_at(&self, address: SocketAddr) -> Option<BrokerConfig> {
        Some(Self::config(&format!("redis://:{PASSWORD}@{address}")))
    }

    fn broker_beside_python(&self) -> Option<BrokerConfig> {
        Some(self.broker())
    }

    async fn push_raw(&self, queue: &str, body: &[u8]) -> bool {
        self.0.command(&[b"RPUSH", queue.as_bytes(), body]).await.unwrap();
        true
    }

    async fn take_raw(&self, queue: &str) -> Option<Vec<Vec<u8>>> {
        let taken = self.0.command(&["LPOP", queue, "1000"]).await.unwrap();
        Some(taken.array().iter().map(|body| body.text().unwrap().into_bytes()).collect())
    }
}

formicary::conformance::broker!(OnRedis);
