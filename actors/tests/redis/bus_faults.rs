//! A bus whose server goes away.

use std::sync::Arc;
use std::time::Instant;

use formicary_actors::events::EventKind;
use formicary_actors::{CallError, Error, SendError};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};

use crate::common::{Inbox, Ping, S, bus, down, env, up};

#[actix::test]
async fn an_outage_of_three_seconds_is_survived() {
    if !require_redis("an_outage_of_three_seconds_is_survived") {
        return;
    }
    let mut server = Server::start().await;
    let (bus, inbox, later) = (bus(&server.url()), Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let pending = actix_rt::spawn({
        let bus = bus.clone();
        async move { bus.call("me", &Ping { n: 1 }).await }
    });
    inbox.until(1).await;
    let gone = Instant::now();
    server.kill().await;
    let error = pending.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Call(CallError::Disconnected { .. })), "{error}");
    assert!(gone.elapsed() < S, "a call that can't be answered fails when the connection is lost");
    down(|| bus.connection(), S).await;
    let spawn_publish = |n| {
        let bus = bus.clone();
        actix_rt::spawn(async move { bus.publish("me", &Ping { n }).await })
    };
    let publishes: Vec<_> = (0..100).map(spawn_publish).collect();
    let subscribing = actix_rt::spawn({
        let (bus, later) = (bus.clone(), later.clone());
        async move { bus.subscribe("other", later).await }
    });
    let call = actix_rt::spawn({
        let bus = bus.clone();
        async move { bus.call("me", &Ping { n: 1_000 }).await }
    });
    wait::until(4 * S, "three seconds without a server", async || gone.elapsed() >= 3 * S).await;
    assert!(!call.is_finished(), "a call that waits to go out is not failed by the outage");
    server.restart().await;
    let back = Instant::now();
    for publish in publishes {
        assert_eq!(publish.await.unwrap().unwrap(), Some(1));
    }
    subscribing.await.unwrap().unwrap();
    assert!(back.elapsed() < 2 * S, "all back after {:?}", back.elapsed());
    let got = inbox.until(102).await;
    let expected: Vec<_> = (0..100).map(|n| format!("{{\"n\":{n}}}")).collect();
    assert_eq!(inbox.bodies()[1..101], expected, "in order, after the outage too");
    let channel = format!("PUBSUB:response:uid#{}", got[101].call.as_ref().unwrap());
    server.command(&["PUBLISH", &channel, "{\"A.b\": 5}"]).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap(), 5);
    assert_eq!(bus.dynamic("me", "other", &serde_json::json!({})).await.unwrap(), Some(1));
    later.until(1).await;
    let events = &bus.env().events;
    assert_eq!((events.count(EventKind::Disconnected), events.count(EventKind::Reconnected)), (1, 1));
}

#[actix::test]
async fn what_finds_no_connection_fails_at_its_deadline_and_never_goes_out() {
    if !require_redis("what_finds_no_connection_fails_at_its_deadline_and_never_goes_out") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    proxy.refuse().await;
    let mut env = env();
    env.limits.send_deadline = S / 2;
    env.limits.call_deadline = S / 2;
    let bus = formicary_actors::bus::redis::start(&proxy.url().parse().unwrap(), env).unwrap();
    let inbox = Arc::new(Inbox::default());
    let start = Instant::now();
    let (published, called, subscribed) = futures_util::join!(
        bus.publish("me", &Ping { n: 1 }),
        bus.call("me", &Ping { n: 2 }),
        bus.subscribe("ping", inbox.clone()),
    );
    assert!(start.elapsed() >= S / 2 && start.elapsed() < S);
    assert!(matches!(published, Err(Error::Send(SendError::NotSent { .. }))), "{published:?}");
    assert!(
        matches!(&called, Err(Error::Call(CallError::NotSent { source: SendError::NotSent { .. }, .. }))),
        "{called:?}"
    );
    assert!(matches!(subscribed, Err(Error::Unreachable { .. })), "{subscribed:?}");
    proxy.accept().await;
    up(|| bus.connection()).await;
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    bus.publish("me", &Ping { n: 3 }).await.unwrap();
    inbox.until(1).await;
    assert_eq!(inbox.bodies(), ["{\"n\":3}"]);
}

#[actix::test]
async fn a_publish_given_up_while_it_waited_does_not_go_out() {
    if !require_redis("a_publish_given_up_while_it_waited_does_not_go_out") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let (bus, inbox) = (bus(&proxy.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    proxy.refuse().await;
    proxy.drop_all().await;
    down(|| bus.connection(), S).await;
    let given_up = tokio::time::timeout(S / 10, bus.publish("me", &Ping { n: 1 })).await;
    assert!(given_up.is_err());
    proxy.accept().await;
    assert_eq!(bus.publish("me", &Ping { n: 2 }).await.unwrap(), Some(1));
    inbox.until(1).await;
    assert_eq!(inbox.bodies(), ["{\"n\":2}"]);
}

#[actix::test]
async fn killed_connections_come_back_with_their_subscriptions() {
    if !require_redis("killed_connections_come_back_with_their_subscriptions") {
        return;
    }
    let server = Server::start().await;
    let (bus, inbox) = (bus(&server.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    for round in 1..=5 {
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap();
        let events = &bus.env().events;
        wait::until(2 * S, "the reconnect", async || events.count(EventKind::Reconnected) == round).await;
        assert_eq!(bus.publish("me", &Ping { n: round }).await.unwrap(), Some(1));
        inbox.until(round as usize).await;
    }
}

#[actix::test]
async fn a_half_open_connection_is_found_within_ten_seconds_in_each_direction() {
    if !require_redis("a_half_open_connection_is_found_within_ten_seconds_in_each_direction") {
        return;
    }
    let server = Server::start().await;
    let (up_only, down_only) = (Proxy::start(server.port()).await, Proxy::start(server.port()).await);
    let buses = [bus(&up_only.url()), bus(&down_only.url())];
    for bus in &buses {
        bus.subscribe("ping", Arc::new(Inbox::default())).await.unwrap();
    }
    up_only.set_to_client(Mode::Blackhole);
    down_only.set_to_server(Mode::Blackhole);
    let start = Instant::now();
    for bus in &buses {
        down(|| bus.connection(), 10 * S).await;
    }
    println!("both found after {:?}", start.elapsed());
    up_only.set(Mode::Pass);
    down_only.set(Mode::Pass);
    for bus in &buses {
        up(|| bus.connection()).await;
        assert!(bus.publish("me", &Ping { n: 1 }).await.unwrap() >= Some(1));
    }
}
