//! A Redis Cluster of three nodes.

use std::sync::Arc;
use std::time::Duration;

use formicary_actors::broker::{Broker, Intake};
use formicary_actors::contract::{ConsumerId, Letters, Outcome, SendOptions, Settlement};
use formicary_actors::events::EventKind;
use formicary_actors::{Env, RedisConfig};
use formicary_protocol::{Bytes, DeadReason, Declarations, Prefix};
use formicary_test_support::redis::{Cluster, Server};
use formicary_test_support::{require_redis, wait};
use serde_json::{Value, json};

use crate::common::{Inbox, S, Tray, ask, bus};

const CREDIT: std::num::NonZeroUsize = std::num::NonZeroUsize::new(64).unwrap();

/// A broker whose URL names one of the nodes.
fn broker(node: &Server, queues: &[&str]) -> Broker {
    let queues: Vec<_> = queues.iter().map(|name| json!({"name": name})).collect();
    let declared = Declarations::parse(&json!({"queues": queues}).to_string(), "test").unwrap();
    let config: RedisConfig = node.url().parse().unwrap();
    let env = Env::new(Prefix::default(), Arc::new(declared));
    formicary_actors::broker::redis::start(&config.lease(Duration::from_millis(600)), env).unwrap()
}

async fn consume(broker: &Broker, queue: &str) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    (broker.consume(queue, CREDIT, "agent.deliver", tray.clone()).await.unwrap(), tray)
}

async fn empty(broker: &Broker, queue: &str) {
    let left = async || broker.inspect(queue).await.unwrap().left() == 0;
    wait::until(5 * S, format!("the end of {queue}"), left).await;
}

#[actix::test]
async fn queues_on_every_node_of_a_cluster_are_served() {
    if !require_redis("queues_on_every_node_of_a_cluster_are_served") {
        return;
    }
    let cluster = Cluster::start().await;
    let queues = ["{a}jobs", "{b}jobs", "{c}jobs", "{d}jobs", "{e}jobs", "{f}jobs"];
    let broker = broker(&cluster.nodes()[0], &queues);
    let mut owners = std::collections::HashSet::new();
    for queue in queues {
        let owner = cluster.owner(queue).await;
        owners.insert(owner.port());
        for n in 0..50 {
            broker.dynamic(queue, &json!(n)).await.unwrap();
        }
        assert_eq!(ask(owner, &["LLEN", queue]).await, 50);
        let (id, tray) = consume(&broker, queue).await;
        let got = tray.until(50).await;
        assert_eq!(got.iter().map(|one| &one.body[..]).collect::<Vec<_>>(), numbers(50));
        // One is tried again, one is dead, the others are done.
        let outcome = |n| match n {
            0 => Outcome::Retry { after: Duration::from_millis(20) },
            1 => Outcome::Dead { reason: DeadReason::Refused },
            _ => Outcome::Ack,
        };
        let settlements = got.iter().enumerate().map(|(n, one)| Settlement::new(one.token, outcome(n)));
        broker.settle(id, settlements.collect::<Vec<_>>());
        let again = tray.until(51).await[50].clone();
        assert_eq!((again.attempt, &again.body[..]), (2, &b"0"[..]));
        broker.settle(id, Settlement::new(again.token, Outcome::Ack));
        assert_eq!(broker.replay(queue, Letters::all()).await.unwrap(), 1);
        let replayed = tray.until(52).await[51].clone();
        broker.settle(id, Settlement::new(replayed.token, Outcome::Ack));
        empty(&broker, queue).await;
        broker.cancel(id).await;
    }
    assert!(owners.len() > 1, "all queues are on one node");
}

fn numbers(count: usize) -> Vec<Bytes> {
    (0..count).map(|n| n.to_string().into()).collect()
}

#[actix::test]
async fn on_a_cluster_an_outbox_goes_with_the_acknowledgement() {
    if !require_redis("on_a_cluster_an_outbox_goes_with_the_acknowledgement") {
        return;
    }
    let cluster = Cluster::start().await;
    let broker = broker(&cluster.nodes()[0], &["{mail}er", "{mail}s"]);
    let tray = Arc::new(Tray::default());
    let intake = Intake::new("{mail}er", CREDIT, "agent.deliver", tray.clone()).outbox(["{mail}s".into()]);
    let id = broker.consume_with(intake).await.unwrap();
    broker.dynamic("{mail}er", &json!("in")).await.unwrap();
    let mut done = Settlement::new(tray.until(1).await[0].token, Outcome::Ack);
    let queue: Arc<str> = "{mail}s".into();
    done.outbox = vec![formicary_actors::contract::Outgoing {
        queue,
        body: Bytes::from_static(b"\"out\""),
        options: SendOptions::default(),
    }];
    broker.settled(id, done).await.unwrap();
    assert_eq!(ask(cluster.owner("{mail}s").await, &["LLEN", "{mail}s"]).await, 1);
}

/// A queue that is not at the first node.
async fn queue_elsewhere(cluster: &Cluster) -> String {
    for n in 0.. {
        let queue = format!("{{{n}}}jobs");
        if cluster.owner(&queue).await.port() != cluster.nodes()[0].port() {
            return queue;
        }
    }
    unreachable!("every slot is at the first node")
}

#[actix::test]
async fn what_a_dead_consumer_had_on_another_node_comes_back() {
    if !require_redis("what_a_dead_consumer_had_on_another_node_comes_back") {
        return;
    }
    let cluster = Cluster::start().await;
    let home = &cluster.nodes()[0];
    let queue = queue_elsewhere(&cluster).await;
    let (first, second) = (broker(home, &[&queue]), broker(home, &[&queue]));
    let (_, tray) = consume(&first, &queue).await;
    first.dynamic(&queue, &json!("precious")).await.unwrap();
    let had = tray.until(1).await[0].clone();
    // Its process dies: the counter stands still.
    let owner = cluster.owner(&queue).await;
    let uid = owner.command(&["HKEYS", &format!("{queue}:leases")]).await.unwrap().array()[0].text().unwrap();
    let place = format!("{queue}:taken:{uid}");
    let dump = owner.command(&["HGETALL", &place]).await.unwrap();
    let [field, body] = [0, 1].map(|at| dump.array()[at].text().unwrap());
    owner.command(&["HSET", &format!("{queue}:taken:dead"), &field, &body]).await.unwrap();
    owner.command(&["HSET", &format!("{queue}:leases"), "dead", "1"]).await.unwrap();
    let (id, other) = consume(&second, &queue).await;
    let again = other.until(1).await[0].clone();
    assert_eq!((again.attempt, &again.body), (2, &had.body));
    assert_eq!(second.env().events.count(EventKind::Reclaimed) + first.env().events.count(EventKind::Reclaimed), 1);
    second.settle(id, Settlement::new(again.token, Outcome::Ack));
}

#[actix::test]
async fn a_queue_that_moves_to_another_node_is_followed() {
    if !require_redis("a_queue_that_moves_to_another_node_is_followed") {
        return;
    }
    let cluster = Cluster::start().await;
    let queue = "{a}jobs";
    let from = cluster.owner(queue).await;
    let to = cluster.nodes().iter().find(|node| node.port() != from.port()).unwrap();
    let broker = broker(from, &[queue]);
    let (id, tray) = consume(&broker, queue).await;
    broker.dynamic(queue, &json!("before")).await.unwrap();
    tray.until(1).await;
    // As `redis-cli --cluster reshard` does it, while one message is in hand and a read waits for more.
    let text = async |node: &Server, command: &[&str]| node.command(command).await.unwrap().text().unwrap_or_default();
    let slot = ask(from, &["CLUSTER", "KEYSLOT", queue]).await.to_string();
    let (source, target) = (text(from, &["CLUSTER", "MYID"]).await, text(to, &["CLUSTER", "MYID"]).await);
    text(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]).await;
    text(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]).await;
    wait::until(5 * S, "an empty slot", async || {
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await.unwrap();
        for key in keys.array() {
            let (key, port) = (key.text().unwrap(), to.port().to_string());
            text(from, &["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]).await;
        }
        keys.array().is_empty()
    })
    .await;
    for node in [to, from] {
        text(node, &["CLUSTER", "SETSLOT", &slot, "NODE", &target]).await;
    }
    broker.settled(id, Settlement::new(tray.all()[0].token, Outcome::Ack)).await.unwrap();
    wait::until(5 * S, "a send", async || broker.dynamic(queue, &json!("after")).await.is_ok()).await;
    let after = tray.until(2).await[1].clone();
    assert_eq!(&after.body[..], b"\"after\"");
    broker.settle(id, Settlement::new(after.token, Outcome::Ack));
    empty(&broker, queue).await;
}

#[actix::test]
async fn a_queue_whose_node_dies_is_found_where_it_comes_back() {
    if !require_redis("a_queue_whose_node_dies_is_found_where_it_comes_back") {
        return;
    }
    let cluster = Cluster::start().await;
    let queue = queue_elsewhere(&cluster).await;
    let (home, owner) = (&cluster.nodes()[0], cluster.owner(&queue).await);
    let heir = cluster.nodes().iter().find(|node| ![home.port(), owner.port()].contains(&node.port())).unwrap();
    let broker = broker(home, &[&queue]);
    let (id, tray) = consume(&broker, &queue).await;
    broker.dynamic(&queue, &json!("before")).await.unwrap();
    broker.settle(id, Settlement::new(tray.until(1).await[0].token, Outcome::Ack));
    empty(&broker, &queue).await;
    let slot = ask(home, &["CLUSTER", "KEYSLOT", &queue]).await.to_string();
    let heir_id = heir.command(&["CLUSTER", "MYID"]).await.unwrap().text().unwrap();
    for node in [home, heir] {
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await.unwrap();
    }
    // The others give its slot to one that lives, as a failover does.
    owner.command(&["SHUTDOWN", "NOSAVE"]).await.ok();
    for node in [heir, home] {
        node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &heir_id]).await.unwrap();
    }
    heir.command(&["CLUSTER", "BUMPEPOCH"]).await.unwrap();
    wait::until(20 * S, "a send", async || broker.dynamic(&queue, &json!("after")).await.is_ok()).await;
    // Not by a send, and not by a take: the read that waits is at the new node.
    let after = tray.until(2).await[1].clone();
    broker.settle(id, Settlement::new(after.token, Outcome::Ack));
    empty(&broker, &queue).await;
    heir.command(&["RPUSH", &queue, "3"]).await.unwrap();
    tray.until(3).await;
}

#[actix::test]
async fn a_signal_crosses_the_nodes_of_a_cluster() {
    if !require_redis("a_signal_crosses_the_nodes_of_a_cluster") {
        return;
    }
    let cluster = Cluster::start().await;
    let (here, there) = (bus(&cluster.nodes()[0].url()), bus(&cluster.nodes()[1].url()));
    let inbox = Arc::new(Inbox::default());
    there.subscribe("ping", inbox.clone()).await.unwrap();
    here.dynamic("me", "ping", &json!({"n": 7})).await.unwrap();
    let body: Value = serde_json::from_slice(&inbox.until(1).await[0].body).unwrap();
    assert_eq!(body, json!({"n": 7}));
}
