//! Queues of exchanges: fan-out and topics, on the adapters that have them, and the refusal of those that have not.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Delivery, Metadata, Outbox, Push};
use formicary_actors::broker::MemoryBroker;
use formicary_actors::contract::{Letters, SendOptions};
use formicary_actors::events::EventKind;
use formicary_actors::group::{BrokerConfig, Group, GroupBuilder};
use formicary_actors::testing::Harness;
use formicary_actors::{Error, SendError};
use formicary_protocol::{Declarations, Field, Queue};
use serde_json::json;

use super::common::*;

macro_rules! queues {
    ($($name:ident = $wire:literal,)+) => {$(
        struct $name;

        impl Queue for $name {
            const NAME: &'static str = $wire;
            type Message = u64;

            fn fields() -> Option<Vec<Field>> {
                None
            }
        }
    )+};
}

queues! {
    Users = "users",
    Created = "created",
    Left = "left",
    Right = "right",
    Plain = "plain",
}

const QUEUES: &str = r##"[
    {"name": "users", "exchange": "events", "topics": ["user.*"]},
    {"name": "created", "exchange": "events", "topics": ["*.created", "#.created", "created"]},
    {"name": "everything", "exchange": "events", "topics": ["#.x", "user.#"]},
    {"name": "left", "exchange": "fan"},
    {"name": "right", "exchange": "fan"},
    {"name": "plain"}
]"##;

fn declared(queues: &str) -> Declarations {
    Declarations::parse(&format!(r#"{{"signals": [], "queues": {queues}}}"#), "test").unwrap()
}

fn on(broker: &MemoryBroker) -> GroupBuilder {
    tokio::time::pause();
    beside(broker)
}

fn beside(broker: &MemoryBroker) -> GroupBuilder {
    Group::builder().declarations(declared(QUEUES)).broker(BrokerConfig::memory(broker.clone()))
}

async fn to(group: &Group, topic: &str) -> Result<(), Error> {
    let mut options = SendOptions::default();
    options.topic = Some(topic.to_owned());
    group.broker().send_with::<Users>(&1, options).await
}

/// How many messages wait in the queues, in the order of their declaration.
async fn waiting(group: &Group) -> Vec<u64> {
    let mut counts = Vec::new();
    for queue in ["users", "created", "everything", "left", "right", "plain"] {
        let found = group.broker().inspect(queue).await.unwrap();
        counts.push(found.waiting + found.delayed);
    }
    counts
}

#[actix::test]
async fn a_topic_goes_to_each_queue_that_takes_it_once() {
    let group = on(&MemoryBroker::new()).start().await.unwrap();
    to(&group, "user.created").await.unwrap();
    assert_eq!(waiting(&group).await, [1, 1, 1, 0, 0, 0]);
    to(&group, "user.name.changed").await.unwrap();
    assert_eq!(waiting(&group).await, [1, 1, 2, 0, 0, 0], "not the queue that it was sent to");
    group.broker().send::<Created>(&1).await.unwrap();
    assert_eq!(waiting(&group).await, [1, 2, 2, 0, 0, 0], "without a topic it is the name of the queue");
    assert_eq!(group.events().count(EventKind::Queued), 3);
    group.stop().await;
}

#[actix::test]
async fn a_fan_out_goes_to_every_queue_whatever_its_topic() {
    let group = on(&MemoryBroker::new()).start().await.unwrap();
    group.broker().send::<Left>(&1).await.unwrap();
    let mut options = SendOptions::default();
    (options.topic, options.delay) = (Some("x".to_owned()), Some(Duration::from_secs(60)));
    group.broker().send_with::<Right>(&2, options).await.unwrap();
    assert_eq!(waiting(&group).await, [0, 0, 0, 2, 2, 0]);
    assert_eq!(group.broker().inspect("left").await.unwrap().delayed, 1);
    group.broker().send::<Plain>(&1).await.unwrap();
    assert_eq!(waiting(&group).await, [0, 0, 0, 2, 2, 1]);
    group.stop().await;
}

#[actix::test]
async fn what_goes_nowhere_is_refused_and_says_why() {
    let group = on(&MemoryBroker::new()).start().await.unwrap();
    let refused = |error: Error| match error {
        Error::Send(SendError::NotSent { reason }) => reason,
        other => panic!("{other}"),
    };
    let mut options = SendOptions::default();
    options.topic = Some("a".to_owned());
    let reason = refused(group.broker().send_with::<Plain>(&1, options).await.unwrap_err());
    assert!(reason.contains("the topic `a` is for an exchange, and the queue `plain` has none"), "{reason}");
    let reason = refused(to(&group, "order.paid").await.unwrap_err());
    assert!(
        reason.starts_with("unroutable: the topic `order.paid` matches no queue of the exchange `events`"),
        "{reason}"
    );
    assert!(reason.contains("`*.created` of `created`") && reason.contains("`user.*` of `users`"), "{reason}");
    let reason = refused(group.broker().send::<Users>(&1).await.unwrap_err());
    assert!(reason.contains("the topic `users`"), "{reason}");
    let reason = refused(to(&group, &"t".repeat(256)).await.unwrap_err());
    assert!(reason.contains("at most 255"), "{reason}");
    assert_eq!(waiting(&group).await, [0; 6]);
    assert_eq!(group.events().count(EventKind::Queued), 0);
    group.stop().await;
}

#[actix::test]
async fn a_queue_that_is_full_refuses_the_message_for_all() {
    let group = on(&MemoryBroker::with_capacity(many(2))).start().await.unwrap();
    group.broker().send::<Created>(&1).await.unwrap();
    group.broker().send::<Created>(&1).await.unwrap();
    let error = to(&group, "user.created").await.unwrap_err().to_string();
    assert!(error.contains("the queue `created` holds 2 messages"), "{error}");
    assert_eq!(waiting(&group).await, [0, 2, 0, 0, 0, 0]);
    group.stop().await;
}

#[actix::test]
async fn groups_that_share_a_broker_share_its_exchanges() {
    let broker = MemoryBroker::new();
    let group = on(&broker).start().await.unwrap();
    let other = declared(r#"[{"name": "orders", "exchange": "events", "topics": ["order.*"]}]"#);
    let other =
        Group::builder().declarations(other).broker(BrokerConfig::memory(broker.clone())).start().await.unwrap();
    to(&group, "order.paid").await.unwrap();
    assert_eq!(other.broker().inspect("orders").await.unwrap().waiting, 1);
    other.stop().await;
    to(&group, "order.paid").await.unwrap();

    let contrary = declared(r#"[{"name": "users", "exchange": "events"}]"#);
    let contrary = Group::builder().declarations(contrary).broker(BrokerConfig::memory(broker)).agent(|| Pushes);
    let error = contrary.start().await.unwrap_err().to_string();
    assert!(
        error.contains("the queue `users` of the exchange `events`") && error.contains("with no topics"),
        "{error}"
    );
    group.stop().await;
}

struct Pushes;

impl Agent for Pushes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("push", async |_: &mut Self, users: Push<Users>| users.send_to("user.created", &7).await);
    }
}

/// Fails at `users`, takes what comes to `created`.
struct Takes(Log);

impl Agent for Takes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Users, _, _, _, _>("users", async |me: &Self, n: u64, delivery: Delivery| {
            me.0.add(format!("users {n} {}", delivery.attempt()));
            match delivery.attempt() {
                1 => delivery.retry(Duration::from_secs(1)),
                _ => delivery.dead(),
            }
        });
        agent.consumer::<Created, _, _, _, _>("created", async |me: &Self, n: u64, about: Metadata| {
            me.0.add(format!("created {n} {}", about.is_empty()));
        });
    }
}

#[actix::test]
async fn what_becomes_of_a_message_concerns_its_own_queue_only() {
    let (broker, log) = (MemoryBroker::new(), Log::default());
    let seen = log.clone();
    let group = on(&broker).agent(move || Takes(seen.clone())).agent(|| Pushes).start().await.unwrap();
    until(SOON, "the dead letter", async || group.broker().inspect("users").await.unwrap().dead == 1).await;
    assert_eq!(group.broker().replay("users", Letters::all()).await.unwrap(), 1);
    until(SOON, "all", async || log.lines().len() == 5).await;
    let mut lines = log.lines();
    lines.sort();
    assert_eq!(lines, ["created 7 true", "users 7 1", "users 7 1", "users 7 2", "users 7 2"]);
    assert_eq!(waiting(&group).await[2], 1, "`everything` has its one copy");
    group.stop().await;
}

struct Relays;

impl Agent for Relays {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Plain, _, _, _, _>("relay", async |_: &Self, n: u64, (left, created): Outboxes| {
            left.send(&n)?;
            created.send(&n)
        });
    }
}

type Outboxes = (Outbox<Left>, Outbox<Created>);

#[actix::test]
async fn an_outbox_goes_to_the_exchange_too() {
    let group = on(&MemoryBroker::new()).agent(|| Relays).start().await.unwrap();
    group.broker().send::<Plain>(&1).await.unwrap();
    until(SOON, "the acknowledgement", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(waiting(&group).await, [0, 1, 0, 1, 1, 0]);
    group.stop().await;
}

struct Lost;

impl Agent for Lost {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.consumer::<Plain, _, _, _, _>("relay", async |_: &Self, n: u64, users: Outbox<Users>| users.send(&n));
        agent.periodic("tick", Duration::from_secs(1), async |_: &Self, _: Metadata| {});
    }
}

#[actix::test]
async fn an_outbox_that_leads_nowhere_is_refused_at_the_start() {
    let Err(Error::Misfit { problems, .. }) = on(&MemoryBroker::new()).agent(|| Lost).start().await else {
        panic!("it started")
    };
    let [outbox, metadata] = &*problems else { panic!("{problems:?}") };
    assert!(outbox.contains("no queue of the exchange `events` takes that topic"), "{outbox}");
    assert_eq!(metadata, "`tick` asks for `Metadata`, which only a consumer has");
}

#[actix::test]
async fn a_recording_broker_routes_as_the_one_in_memory() {
    let pushing = Harness::of(|| Pushes).declarations(declared(QUEUES)).start().await.unwrap();
    assert_eq!(pushing.broker().pushed::<Users>(), [7]);
    let memory = pushing.broker().memory().clone();
    let group = beside(&memory).start().await.unwrap();
    assert_eq!(waiting(&group).await, [1, 1, 1, 0, 0, 0]);
    group.stop().await;
    pushing.stop().await;

    let text = r#"[{"name": "users", "exchange": "events", "topics": ["order.*"]}]"#;
    let error = Harness::of(|| Pushes).declarations(declared(text)).start().await.unwrap_err().to_string();
    assert!(error.contains("unroutable"), "{error}");
}

#[cfg(feature = "redis")]
#[actix::test]
async fn a_redis_list_has_no_exchange_and_the_start_says_so() {
    if !formicary_test_support::require_redis("a_redis_list_has_no_exchange_and_the_start_says_so") {
        return;
    }
    let server = formicary_test_support::redis::Server::start().await;
    let group = |agent: GroupBuilder| agent.broker(server.url().parse().unwrap());
    let builder = Group::builder().declarations(declared(QUEUES));
    let Err(Error::Misfit { problems, .. }) = group(builder.agent(|| Takes(Log::default()))).start().await else {
        panic!("it started")
    };
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(
        problems[1],
        "`users` is declared with the exchange `events`, and the redis broker has none: use a broker that has, or \
         declare it without"
    );
    let plain = group(Group::builder().declarations(declared(QUEUES))).start().await.unwrap();
    let mut options = SendOptions::default();
    options.topic = Some("a".to_owned());
    let error = plain.broker().send_with::<Plain>(&1, options).await.unwrap_err().to_string();
    assert!(error.contains("no option `topic`"), "{error}");
    assert!(plain.broker().dynamic("plain", &json!(1)).await.is_ok());
    plain.stop().await;
}
