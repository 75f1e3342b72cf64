//! Signals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_actors::bus::Bus;
use formicary_actors::contract::ConnectionState;
use formicary_actors::events::EventKind;
use formicary_actors::{AmqpConfig, Error, SendError};
use formicary_protocol::Prefix;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::{rabbitmq, require_rabbitmq, wait};
use futures_util::future::join_all;
use lapin::BasicProperties;

use crate::bus_common::{Inbox, Ping, Program, S, bus, bus_in, env, up};

async fn ping(bus: &Bus, n: u64) -> Option<u64> {
    bus.publish("me", &Ping { n }).await.unwrap()
}

fn numbers(of: std::ops::Range<u64>) -> Vec<String> {
    of.map(|n| format!("{{\"n\":{n}}}")).collect()
}

#[actix::test]
async fn signals_reach_every_subscription_in_order() {
    if !require_rabbitmq("signals_reach_every_subscription_in_order") {
        return;
    }
    let place = rabbitmq::shared("signals_reach_every_subscription_in_order").await;
    let mut impatient = env();
    impatient.limits.call_deadline = S / 10;
    let (here, there) = (bus_in(impatient, &place.url()), bus(&place.url()));
    let (one, two, far) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    assert_eq!(ping(&here, 1_000).await, None, "the server does not say how many receive it");
    let first = here.subscribe("ping", one.clone()).await.unwrap();
    let second = here.subscribe("ping", two.clone()).await.unwrap();
    there.subscribe("ping", far.clone()).await.unwrap();
    join_all((0..2_000).map(|n| ping(&here, n))).await;
    for inbox in [&one, &two, &far] {
        inbox.until(2_000).await;
        assert_eq!(inbox.bodies(), numbers(0..2_000));
    }
    assert_eq!((&*one.all()[0].sender, one.all()[0].call.as_ref()), ("me", None));
    here.unsubscribe(first).await;
    ping(&here, 2_000).await;
    two.until(2_001).await;
    assert_eq!(one.len(), 2_000);
    here.unsubscribe(second).await;
    // The binding goes, too, and with the other bus its queue.
    drop(there);
    let unheard = async || here.call("me", &Ping { n: 0 }).await.unwrap_err().to_string().contains("nobody listens");
    wait::until(5 * S, "the binding to be given up", unheard).await;
}

#[actix::test]
async fn names_with_a_meaning_in_keys_are_carried_and_other_programs_can_read_them() {
    if !require_rabbitmq("names_with_a_meaning_in_keys_are_carried_and_other_programs_can_read_them") {
        return;
    }
    let place = rabbitmq::shared("names_with_a_meaning_in_keys").await;
    let (bus, inbox) = (bus(&place.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let mut program = Program::connect(&place.url()).await;
    program.bind("#").await;
    for sender in ["a.b", "*", "100%", "größe"] {
        bus.publish(sender, &Ping { n: 1 }).await.unwrap();
    }
    let senders: Vec<_> = inbox.until(4).await.iter().map(|one| one.sender.to_string()).collect();
    assert_eq!(senders, ["a.b", "*", "100%", "größe"]);
    let heard = program.next().await;
    assert_eq!((heard.routing_key.as_str(), &heard.data[..]), ("ping.a%2Eb", &b"{\"n\":1}"[..]));
    assert_eq!(heard.properties, BasicProperties::default(), "a signal is its key and its body");
    let error = bus.publish(&"x".repeat(300), &Ping { n: 1 }).await.unwrap_err();
    assert!(matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("255")), "{error}");
    ping(&bus, 5).await;
}

#[actix::test]
async fn other_programs_are_heard_and_bad_input_kills_nothing() {
    if !require_rabbitmq("other_programs_are_heard_and_bad_input_kills_nothing") {
        return;
    }
    let place = rabbitmq::shared("other_programs_are_heard").await;
    let (bus, inbox) = (bus(&place.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let program = Program::connect(&place.url()).await;
    let big = vec![b'x'; 2 << 20];
    for (key, body) in
        [("ping.", &b"{}"[..]), ("ping.%zz", b"{}"), ("ping.py", &big), ("ping.py", b"\xff\x00"), ("ping.a%3Ab", b"")]
    {
        program.signal(key, body).await;
    }
    program.publish("PUBSUB", "ping.x", b"", BasicProperties::default().with_reply_to("nowhere".into())).await;
    let got = inbox.until(3).await;
    let seen: Vec<_> = got.iter().map(|one| (&*one.sender, one.call.as_deref(), &one.body[..])).collect();
    assert_eq!(seen, [("py", None, &b"\xff\x00"[..]), ("a:b", None, b""), ("x", Some("@nowhere"), b"")]);
    assert_eq!(bus.env().events.count(EventKind::BadInput), 3);
    assert_eq!(bus.env().events.count(EventKind::BadSize), 1);
}

#[actix::test]
async fn publishes_in_flight_share_their_round_trips() {
    if !require_rabbitmq("publishes_in_flight_share_their_round_trips") {
        return;
    }
    let place = rabbitmq::shared("publishes_in_flight_share_their_round_trips").await;
    let proxy = Proxy::start(place.server().port()).await;
    let bus = bus(&place.url_by(proxy.port()));
    up(&bus).await;
    proxy.set(Mode::Delay(Duration::from_millis(50)));
    let start = Instant::now();
    let sent = join_all((0..256).map(|n| ping(&bus, n))).await;
    assert_eq!(sent.len(), 256);
    assert!(start.elapsed() < 2 * S, "256 publishes over a round trip of 100 ms took {:?}", start.elapsed());
}

#[actix::test]
async fn a_refusal_is_told_in_the_servers_words_and_harms_nobody_else() {
    if !require_rabbitmq("a_refusal_is_told_in_the_servers_words_and_harms_nobody_else") {
        return;
    }
    let place = rabbitmq::shared("a_refusal_is_told_in_the_servers_words").await;
    let (bus, inbox) = (bus(&place.url()), Arc::new(Inbox::default()));
    up(&bus).await;
    // A channel of the server remembers what it has once allowed, so nothing may be bound before.
    place.forbid().await;
    let refused = bus.subscribe("ping", inbox.clone()).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused { reason, .. } if reason.contains("ACCESS_REFUSED")), "{refused}");
    place.allow().await;
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    ping(&bus, 1).await;
    inbox.until(1).await;
    assert_eq!(bus.connection(), ConnectionState::Up);
    assert_eq!(bus.env().events.count(EventKind::Disconnected), 0, "what is refused ends nothing else");
}

#[actix::test]
async fn what_is_wrong_with_the_server_is_said_without_the_password() {
    if !require_rabbitmq("what_is_wrong_with_the_server_is_said_without_the_password") {
        return;
    }
    let place = rabbitmq::shared("wrong_credentials").await;
    let port = place.server().port();
    let reason = async |bus: &Bus| {
        wait::until(5 * S, "a refusal", async || match bus.connection() {
            ConnectionState::Down { reason, lasting } => Some((reason, lasting)),
            _ => None,
        })
        .await
    };
    let stranger = bus(&format!("amqp://anna:wrongsecret@127.0.0.1:{port}/x"));
    let (text, lasting) = reason(&stranger).await;
    let described = format!("{text} {:?}", stranger.describe().await.unwrap());
    assert!(lasting && text.contains("password") && !described.contains("wrongsecret"), "{described}");

    // An exchange of another kind under the name of ours.
    let program = Program::connect(&place.url()).await;
    let (kind, none) = (lapin::ExchangeKind::Fanout, lapin::types::FieldTable::default());
    program.channel.exchange_declare("OTHERS".into(), kind, Default::default(), none).await.unwrap();
    let mut others = env();
    others.prefix = Prefix::new("OTHERS").unwrap();
    let (text, _) = reason(&bus_in(others, &place.url())).await;
    assert!(text.contains("PRECONDITION_FAILED") && text.contains("OTHERS"), "{text}");

    let mut long = env();
    long.prefix = Prefix::new(&"X".repeat(256)).unwrap();
    let config: AmqpConfig = place.url().parse().unwrap();
    let error = formicary_actors::bus::amqp::start(&config, long).unwrap_err();
    assert!(matches!(&error, Error::Settings(text) if text.contains("255")), "{error}");
}
