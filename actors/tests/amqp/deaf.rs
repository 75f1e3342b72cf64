//! A server that hears nothing, long before the heartbeat finds it out: who asked waits no longer than its deadline.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_actors::AmqpConfig;
use formicary_actors::broker::Intake;
use formicary_actors::contract::{ConnectionState, Letters};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::rabbitmq::{self, Place};
use formicary_test_support::{require_rabbitmq, wait};
use serde_json::json;

use crate::bus_common::{self, Inbox};
use crate::common::{S, Tray, env_with};

const DEADLINE: Duration = Duration::from_millis(700);

/// With a heartbeat that comes after the test.
async fn behind_a_proxy(place: &Place<'_>) -> (Proxy, AmqpConfig) {
    let proxy = Proxy::start(place.server().port()).await;
    let config: AmqpConfig = place.url_by(proxy.port()).parse().unwrap();
    (proxy, config.heartbeat(60 * S))
}

async fn in_time<T>(what: &str, asked: impl Future<Output = Result<T, formicary_actors::Error>>) {
    let begun = Instant::now();
    let Err(error) = asked.await else { panic!("{what}: nobody could have answered") };
    let (took, text) = (begun.elapsed(), error.to_string());
    assert!(took >= DEADLINE && took < 2 * DEADLINE, "{what}: after {took:?}: {text}");
    assert!(text.contains("did not answer within 700ms"), "{what}: {text}");
}

#[actix::test]
async fn what_a_broker_is_asked_ends_at_its_deadline() {
    if !require_rabbitmq("what_a_broker_is_asked_ends_at_its_deadline") {
        return;
    }
    let place = rabbitmq::shared("deaf-broker").await;
    let (proxy, config) = behind_a_proxy(&place).await;
    let env = env_with(|limits| limits.send_deadline = DEADLINE);
    let broker = formicary_actors::broker::amqp::start(&config, env).unwrap();
    // A server that has just begun may take longer than the deadline of this test.
    let sent = async || broker.dynamic("mailer", &json!(0)).await.is_ok();
    wait::until(10 * S, "the first message to be sent", sent).await;
    proxy.set_to_server(Mode::Blackhole);
    let tray = Arc::new(Tray::default());
    let one = NonZeroUsize::MIN;
    in_time("a consumer", broker.consume("mailer", one, "Agent.deliver", tray.clone())).await;
    in_time("a consumer of a new queue", broker.consume("second", one, "Agent.deliver", tray.clone())).await;
    in_time("a declaration", broker.declare("fan_a")).await;
    in_time("the counts", broker.inspect("mailer")).await;
    in_time("the dead letters", broker.peek("mailer", Letters::all())).await;
    assert_eq!(broker.connection(), ConnectionState::Up, "it is nobody's business yet to end the connection");
    // What was asked for in vain is left behind on no channel: the next is served.
    proxy.set(Mode::Pass);
    proxy.drop_all().await;
    let consumed = async || broker.consume("mailer", one, "Agent.deliver", tray.clone()).await.is_ok();
    wait::until(10 * S, "a consumer", consumed).await;
    tray.until(1).await;
}

#[actix::test]
async fn a_consumer_with_an_outbox_begins_or_fails_by_its_deadline_too() {
    if !require_rabbitmq("a_consumer_with_an_outbox_begins_or_fails_by_its_deadline_too") {
        return;
    }
    let place = rabbitmq::shared("deaf-outbox").await;
    let (proxy, config) = behind_a_proxy(&place).await;
    let env = env_with(|limits| limits.send_deadline = DEADLINE);
    let broker = formicary_actors::broker::amqp::start(&config, env).unwrap();
    let with_outbox = |queue: &'static str| {
        let intake = Intake::new(queue, NonZeroUsize::MIN, "Agent.deliver", Arc::new(Tray::default()));
        broker.consume_with(intake.outbox(["second".into()]))
    };
    wait::until(10 * S, "the first consumer", async || with_outbox("mailer").await.is_ok()).await;
    proxy.set_to_client(Mode::Blackhole);
    in_time("a consumer with an outbox", with_outbox("mailer")).await;
}

#[actix::test]
async fn a_subscription_ends_at_its_deadline() {
    if !require_rabbitmq("a_subscription_ends_at_its_deadline") {
        return;
    }
    let place = rabbitmq::shared("deaf-bus").await;
    let (proxy, config) = behind_a_proxy(&place).await;
    let mut env = bus_common::env();
    env.limits.send_deadline = DEADLINE;
    let bus = formicary_actors::bus::amqp::start(&config, env).unwrap();
    bus_common::up(&bus).await;
    proxy.set_to_client(Mode::Blackhole);
    let inbox = Arc::new(Inbox::default());
    in_time("a subscription", bus.subscribe("ping", inbox.clone())).await;
    in_time("another behind it", bus.subscribe("other", inbox)).await;
}

#[actix::test]
async fn a_subscription_that_was_given_up_leaves_no_binding() {
    if !require_rabbitmq("a_subscription_that_was_given_up_leaves_no_binding") {
        return;
    }
    let place = rabbitmq::shared("slow-bus").await;
    let (proxy, config) = behind_a_proxy(&place).await;
    let mut env = bus_common::env();
    env.limits.send_deadline = DEADLINE;
    let bus = formicary_actors::bus::amqp::start(&config, env).unwrap();
    bus_common::up(&bus).await;
    proxy.set_to_client(Mode::Delay(2 * DEADLINE));
    in_time("a subscription", bus.subscribe("ping", Arc::new(Inbox::default()))).await;
    let is_bound = async || place.topology().await.to_string().contains("ping");
    assert!(is_bound().await, "the server has heard it");
    wait::until(10 * S, "the end of the binding", async || !is_bound().await).await;
    assert_eq!(bus.connection(), ConnectionState::Up, "by a word, and not by the end of the connection");
}
