//! Closing, which only a group does.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use formicary_protocol::{Bytes, Declarations, Prefix};
use formicary_test_support::{proxy::Proxy, redis::Server, require_redis, wait};

use super::start;
use crate::broker::Broker;
use crate::contract::{
    ConnectionState, ConsumerId, Delivered, DeliveryInlet, Outcome, Outgoing, SendOptions, Settlement,
};
use crate::events::EventKind;
use crate::{Env, RedisConfig};

const S: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Tray(Mutex<Vec<Delivered>>);

impl DeliveryInlet for Tray {
    fn deliver(&self, delivery: Delivered) {
        self.0.lock().unwrap().push(delivery);
    }
}

fn broker(url: &str) -> Broker {
    let declarations = Declarations::parse(r#"{"queues": [{"name": "mailer"}]}"#, "test").unwrap();
    let config: RedisConfig = url.parse().unwrap();
    start(&config, Env::new(Prefix::default(), Arc::new(declarations))).unwrap()
}

async fn send(broker: &Broker, body: &'static str) -> Result<(), crate::SendError> {
    let (queue, body) = ("mailer".into(), Bytes::from_static(body.as_bytes()));
    broker.send_outgoing(Outgoing { queue, body, options: SendOptions::default() }).await
}

async fn two_in_hand(broker: &Broker) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    for body in ["1", "2", "3"] {
        send(broker, body).await.unwrap();
    }
    let credit = NonZeroUsize::new(2).unwrap();
    let id = broker.consume("mailer", credit, "Agent.deliver", tray.clone()).await.unwrap();
    wait::until(S, "two messages", async || tray.0.lock().unwrap().len() == 2).await;
    (id, tray)
}

fn ack(tray: &Tray, at: usize) -> Settlement {
    let token = tray.0.lock().unwrap()[at].token;
    Settlement::new(token, Outcome::Ack)
}

#[actix::test]
async fn a_close_carries_out_what_was_accepted_and_returns_the_rest() {
    if !require_redis("a_close_carries_out_what_was_accepted_and_returns_the_rest") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = two_in_hand(&broker).await;
    broker.settle(id, vec![ack(&tray, 0)]);
    let last = actix_rt::spawn({
        let broker = broker.clone();
        async move { send(&broker, "4").await }
    });
    tokio::task::yield_now().await;
    let start = Instant::now();
    broker.close(tokio::time::Instant::now() + 5 * S).await;
    assert!(start.elapsed() < 2 * S, "{:?}", start.elapsed());
    last.await.unwrap().unwrap();
    let left = server.command(&["LRANGE", "mailer", "0", "-1"]).await.unwrap();
    let left: Vec<_> = left.array().iter().filter_map(|one| one.text()).collect();
    assert_eq!(left, ["2", "3", "4"]);
    let events = &broker.env().events;
    assert_eq!((events.count(EventKind::Consumed), events.count(EventKind::LostSettlement)), (1, 0));
    // The acknowledgement makes room, so that the third may have been taken and returned, too.
    assert!((1..=2).contains(&events.count(EventKind::Returned)));
    assert_eq!(server.command(&["EXISTS", "mailer:leases"]).await.unwrap().integer(), Some(0), "it has left");
    assert_eq!(broker.connection(), ConnectionState::Closed);
    assert_eq!(send(&broker, "5").await.unwrap_err().to_string(), "not sent: the broker is closed");
    broker.close(tokio::time::Instant::now() + S).await;
}

#[actix::test]
async fn a_close_without_a_server_gives_up_at_its_deadline() {
    if !require_redis("a_close_without_a_server_gives_up_at_its_deadline") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let broker = broker(&proxy.url());
    let (id, tray) = two_in_hand(&broker).await;
    proxy.refuse().await;
    proxy.drop_all().await;
    broker.settle(id, vec![ack(&tray, 0)]);
    let start = Instant::now();
    broker.close(tokio::time::Instant::now() + S / 2).await;
    assert!(start.elapsed() >= S / 2 && start.elapsed() < S, "{:?}", start.elapsed());
    // The acknowledgement, and the return of the other.
    assert_eq!(broker.env().events.count(EventKind::LostSettlement), 2);
    // Nothing is lost: both stay in the place of their consumer.
    let keys = server.command(&["KEYS", "mailer:taken:*"]).await.unwrap();
    let held = server.command(&["HLEN", &keys.array()[0].text().unwrap()]).await.unwrap();
    assert_eq!(held.integer(), Some(2));
}
