//! Signals and calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use formicary_actors::bus::Bus;
use formicary_actors::contract::ConnectionState;
use formicary_actors::events::EventKind;
use formicary_actors::{CallError, Error, SendError};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use futures_util::future::join_all;

use crate::common::{Inbox, Ping, S, bus, up};

#[actix::test]
async fn signals_reach_every_subscription_in_order_and_tell_their_receivers() {
    if !require_redis("signals_reach_every_subscription_in_order_and_tell_their_receivers") {
        return;
    }
    let server = Server::start().await;
    let (here, there) = (bus(&server.url()), bus(&server.url()));
    let (one, two, far) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    assert_eq!(here.publish("me", &Ping { n: 0 }).await.unwrap(), Some(0));
    let first = here.subscribe("ping", one.clone()).await.unwrap();
    let second = here.subscribe("ping", two.clone()).await.unwrap();
    there.subscribe("ping", far.clone()).await.unwrap();
    let sends = (0..500).map(|n| ping(&here, n));
    // One receiver for each connection, however many subscriptions are behind it.
    assert!(join_all(sends).await.into_iter().all(|receivers| receivers == Some(2)));
    let expected: Vec<_> = (0..500).map(|n| format!("{{\"n\":{n}}}")).collect();
    for inbox in [&one, &two, &far] {
        inbox.until(500).await;
        assert_eq!(inbox.bodies(), expected);
    }
    assert_eq!(&*one.all()[0].sender, "me");
    here.unsubscribe(first).await;
    assert_eq!(here.publish("me", &Ping { n: 1 }).await.unwrap(), Some(2));
    two.until(501).await;
    assert_eq!(one.len(), 500);
    here.unsubscribe(second).await;
    wait::until(S, "the pattern to be given up", async || here.publish("me", &Ping { n: 2 }).await.unwrap() == Some(1))
        .await;
}

async fn ping(bus: &Bus, n: u64) -> Option<u64> {
    bus.publish("me", &Ping { n }).await.unwrap()
}

#[actix::test]
async fn other_programs_are_heard_and_bad_input_kills_nothing() {
    if !require_redis("other_programs_are_heard_and_bad_input_kills_nothing") {
        return;
    }
    let server = Server::start().await;
    let (bus, inbox) = (bus(&server.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let big = vec![b'x'; 2 << 20];
    let publishes: [(&str, &[u8]); 6] = [
        ("PUBSUB:ping:py#", b"{}"),
        ("PUBSUB:ping:", b"{}"),
        ("PUBSUB:ping:py", &big),
        ("PUBSUB:ping:py", b"\xff\x00"),
        ("PUBSUB:ping:a:b", b""),
        ("PUBSUB:ping:py#7", b"message"),
    ];
    for (channel, body) in publishes {
        server.command(&[&b"PUBLISH"[..], channel.as_bytes(), body]).await.unwrap();
    }
    let got = inbox.until(3).await;
    let seen: Vec<_> = got.iter().map(|one| (&*one.sender, one.call.as_deref(), &one.body[..])).collect();
    assert_eq!(seen, [("py", None, &b"\xff\x00"[..]), ("a:b", None, b""), ("py", Some("7"), b"message")]);
    assert_eq!(bus.env().events.count(EventKind::BadInput), 3);
}

#[actix::test]
async fn calls_are_answered_or_fail_with_their_cause() {
    if !require_redis("calls_are_answered_or_fail_with_their_cause") {
        return;
    }
    let server = Server::start().await;
    let bus = bus(&server.url());
    let error = bus.call("me", &Ping { n: 1 }).await.unwrap_err();
    assert!(matches!(error, Error::Call(CallError::NobodyListening { .. })), "{error}");
    let inbox = Arc::new(Inbox::default());
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let answer = async {
        let asked = inbox.until(1).await;
        let channel = format!("PUBSUB:response:uid#{}", asked[0].call.as_ref().unwrap());
        assert_eq!(server.command(&["PUBLISH", &channel, "{\"A.b\": 42}"]).await.unwrap().integer(), Some(1));
    };
    let (answered, ()) = futures_util::join!(bus.call("me", &Ping { n: 1 }), answer);
    assert_eq!(answered.unwrap(), 42);
    let fail = async {
        let asked = inbox.until(2).await;
        let id = asked[1].call.as_ref().unwrap();
        let failure = "{\"A.b\": {\"kind\": \"error\", \"message\": \"no\"}}";
        server.command(&["PUBLISH", &format!("PUBSUB:response_error:uid#{id}"), failure]).await.unwrap();
        server.command(&["PUBLISH", &format!("PUBSUB:response:uid#{id}"), "{\"A.b\": null}"]).await.unwrap();
    };
    let (failed, ()) = futures_util::join!(bus.call("me", &Ping { n: 2 }), fail);
    assert!(matches!(failed, Err(Error::Call(CallError::Remote { .. }))), "{failed:?}");
}

#[actix::test]
async fn publishes_in_flight_share_their_round_trips() {
    if !require_redis("publishes_in_flight_share_their_round_trips") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let bus = bus(&proxy.url());
    up(|| bus.connection()).await;
    proxy.set(Mode::Delay(Duration::from_millis(50)));
    let start = Instant::now();
    let sent = join_all((0..256).map(|n| ping(&bus, n))).await;
    assert_eq!(sent.len(), 256);
    assert!(start.elapsed() < 2 * S, "256 publishes over a round trip of 100 ms took {:?}", start.elapsed());
}

#[actix::test]
async fn a_refusal_is_told_in_the_servers_words() {
    if !require_redis("a_refusal_is_told_in_the_servers_words") {
        return;
    }
    let server = Server::start().await;
    let user = [
        "ACL",
        "SETUSER",
        "bus",
        "on",
        ">secret",
        "+@all",
        "~*",
        "resetchannels",
        "&PUBSUB:response:*",
        "&PUBSUB:response_error:*",
        "&PUBSUB:ping:*",
    ];
    server.command(&user).await.unwrap();
    let bus = bus(&format!("redis://bus:secret@127.0.0.1:{}", server.port()));
    bus.subscribe("ping", Arc::new(Inbox::default())).await.unwrap();
    let refused = bus.subscribe("other", Arc::new(Inbox::default())).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused { reason, .. } if reason.contains("NOPERM")), "{refused}");
    let error = bus.dynamic("me", "other", &serde_json::json!({})).await.unwrap_err();
    assert!(matches!(&error, Error::Send(SendError::NotSent { reason }) if reason.contains("NOPERM")), "{error}");
    // The refused pattern is not asked for again.
    assert_eq!(bus.publish("me", &Ping { n: 1 }).await.unwrap(), Some(1));
}

#[actix::test]
async fn wrong_credentials_are_said_without_the_password() {
    if !require_redis("wrong_credentials_are_said_without_the_password") {
        return;
    }
    let server = Server::options().password("sesame").start().await;
    let bus = bus(&format!("redis://:wrongsecret@127.0.0.1:{}", server.port()));
    let reason = wait::until(5 * S, "a refusal", async || match bus.connection() {
        ConnectionState::Down { reason, .. } => Some(reason),
        _ => None,
    })
    .await;
    let described = format!("{reason} {:?}", bus.describe().await.unwrap());
    assert!(reason.contains("password") && !described.contains("wrongsecret"), "{described}");
    let config: formicary_actors::RedisConfig = "redis://a:wrongsecret@h".parse().unwrap();
    assert_eq!(format!("{config:?}"), "RedisConfig(redis://a:***@h:6379/0)");
    let error = "redis://a:wrongsecret@".parse::<formicary_actors::RedisConfig>().unwrap_err();
    assert!(matches!(error, Error::Settings(_)) && !format!("{error:?}").contains("wrongsecret"));
}
