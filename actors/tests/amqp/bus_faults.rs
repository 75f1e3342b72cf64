//! A bus whose server goes away.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use formicary_actors::contract::{Arriving, SignalInlet};
use formicary_actors::events::EventKind;
use formicary_actors::{AmqpConfig, CallError, Error, SendError};
use formicary_protocol::Bytes;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::rabbitmq::{self, Server};
use formicary_test_support::{require_rabbitmq, wait};

use crate::bus_common::{Inbox, Ping, Program, S, bus, bus_in, down, env, up};

#[actix::test]
async fn an_outage_is_survived_with_what_waited_for_its_end() {
    if !require_rabbitmq("an_outage_is_survived_with_what_waited_for_its_end") {
        return;
    }
    let place = rabbitmq::shared("an_outage_is_survived").await;
    let proxy = Proxy::start(place.server().port()).await;
    let bus = bus(&place.url_by(proxy.port()));
    let (inbox, later) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let pending = actix_rt::spawn({
        let bus = bus.clone();
        async move { bus.call("me", &Ping { n: 1 }).await }
    });
    inbox.until(1).await;
    let gone = Instant::now();
    proxy.refuse().await;
    proxy.drop_all().await;
    let error = pending.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Call(CallError::Disconnected { .. })), "{error}");
    assert!(gone.elapsed() < S, "a call that can't be answered fails when the connection is lost");
    down(&bus, S).await;
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
    wait::until(4 * S, "two seconds without a server", async || gone.elapsed() >= 2 * S).await;
    assert!(!call.is_finished(), "a call that waits to go out is not failed by the outage");
    proxy.accept().await;
    let back = Instant::now();
    for publish in publishes {
        publish.await.unwrap().unwrap();
    }
    subscribing.await.unwrap().unwrap();
    assert!(back.elapsed() < 2 * S, "all back after {:?}", back.elapsed());
    inbox.until(102).await;
    let expected: Vec<_> = (0..100).map(|n| format!("{{\"n\":{n}}}")).collect();
    assert_eq!(inbox.bodies()[1..101], expected, "in order, after the outage too");
    assert!(!call.is_finished());
    bus.dynamic("me", "other", &serde_json::json!({})).await.unwrap();
    later.until(1).await;
    let events = &bus.env().events;
    assert_eq!((events.count(EventKind::Disconnected), events.count(EventKind::Reconnected)), (1, 1));
}

#[actix::test]
async fn what_finds_no_connection_fails_at_its_deadline_and_never_goes_out() {
    if !require_rabbitmq("what_finds_no_connection_fails_at_its_deadline_and_never_goes_out") {
        return;
    }
    let place = rabbitmq::shared("what_finds_no_connection").await;
    let proxy = Proxy::start(place.server().port()).await;
    proxy.refuse().await;
    let mut env = env();
    env.limits.send_deadline = S / 2;
    env.limits.call_deadline = S / 2;
    let bus = bus_in(env, &place.url_by(proxy.port()));
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
    up(&bus).await;
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    bus.publish("me", &Ping { n: 3 }).await.unwrap();
    inbox.until(1).await;
    assert_eq!(inbox.bodies(), ["{\"n\":3}"]);
}

#[actix::test]
async fn a_queue_or_an_exchange_that_somebody_deletes_is_there_again() {
    if !require_rabbitmq("a_queue_or_an_exchange_that_somebody_deletes_is_there_again") {
        return;
    }
    let place = rabbitmq::shared("a_queue_that_somebody_deletes").await;
    let (bus, inbox) = (bus(&place.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    let events = &bus.env().events;
    // Any of its three: the server ends the consumer.
    place.delete_queue(&place.queues().await[0].name).await;
    wait::until(5 * S, "the bus to be set up again", async || events.count(EventKind::Reconnected) == 1).await;
    let program = Program::connect(&place.url()).await;
    program.channel.exchange_delete("PUBSUB".into(), Default::default()).await.unwrap();
    let failed = bus.publish("me", &Ping { n: 1 }).await.unwrap_err();
    assert!(matches!(&failed, Error::Send(SendError::Unknown { reason }) if reason.contains("PUBSUB")), "{failed}");
    bus.publish("me", &Ping { n: 2 }).await.unwrap();
    inbox.until(1).await;
    assert_eq!(inbox.bodies(), ["{\"n\":2}"]);
}

#[actix::test]
async fn closed_connections_come_back_with_their_subscriptions() {
    if !require_rabbitmq("closed_connections_come_back_with_their_subscriptions") {
        return;
    }
    let place = rabbitmq::shared("closed_connections_come_back").await;
    let (bus, inbox) = (bus(&place.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    for round in 1..=5 {
        place.close_connections().await;
        let events = &bus.env().events;
        wait::until(5 * S, "the reconnect", async || events.count(EventKind::Reconnected) == round).await;
        bus.publish("me", &Ping { n: round }).await.unwrap();
        inbox.until(round as usize).await;
    }
}

#[actix::test]
async fn a_half_open_connection_is_found_within_ten_seconds_in_each_direction() {
    if !require_rabbitmq("a_half_open_connection_is_found_within_ten_seconds_in_each_direction") {
        return;
    }
    let place = rabbitmq::shared("a_half_open_connection_is_found").await;
    let port = place.server().port();
    let (up_only, down_only) = (Proxy::start(port).await, Proxy::start(port).await);
    let buses = [bus(&place.url_by(up_only.port())), bus(&place.url_by(down_only.port()))];
    for bus in &buses {
        bus.subscribe("ping", Arc::new(Inbox::default())).await.unwrap();
    }
    up_only.set_to_client(Mode::Blackhole);
    down_only.set_to_server(Mode::Blackhole);
    let start = Instant::now();
    for bus in &buses {
        down(bus, 10 * S).await;
    }
    println!("both found after {:?}", start.elapsed());
    up_only.set(Mode::Pass);
    down_only.set(Mode::Pass);
    for bus in &buses {
        up(bus).await;
        bus.publish("me", &Ping { n: 1 }).await.unwrap();
    }
}

#[actix::test]
async fn a_server_that_takes_nothing_fails_publishers_at_their_deadline_and_listeners_go_on() {
    if !require_rabbitmq("a_server_that_takes_nothing_fails_publishers_at_their_deadline_and_listeners_go_on") {
        return;
    }
    let server = Server::start().await;
    let mut env = env();
    env.limits.send_deadline = S;
    let (bus, inbox) = (bus_in(env, &server.url()), Arc::new(Inbox::default()));
    bus.subscribe("ping", inbox.clone()).await.unwrap();
    server.memory_alarm(true).await;
    // The first tells the server that this connection publishes, and is stuck there; the next do not go out.
    let stuck = bus.publish("me", &Ping { n: 1 }).await;
    assert!(matches!(stuck, Err(Error::Send(SendError::Unknown { .. }))), "{stuck:?}");
    let unsent = bus.publish("me", &Ping { n: 2 }).await;
    assert!(
        matches!(&unsent, Err(Error::Send(SendError::NotSent { reason })) if reason.contains("takes nothing")),
        "{unsent:?}"
    );
    let late = bus.subscribe("other", inbox.clone()).await;
    assert!(matches!(&late, Err(Error::Unreachable { reason, .. }) if reason.contains("takes nothing")), "{late:?}");
    let events = &bus.env().events;
    assert_eq!(events.count(EventKind::Disconnected), 0, "a server that is short of memory is no outage");
    let waiting = actix_rt::spawn({
        let bus = bus.clone();
        async move { bus.publish("me", &Ping { n: 3 }).await }
    });
    server.memory_alarm(false).await;
    waiting.await.unwrap().unwrap();
    wait::until(5 * S, "what was published after it", async || inbox.bodies().contains(&"{\"n\":3}".to_owned())).await;
    assert!(!inbox.bodies().contains(&"{\"n\":2}".to_owned()));
}

/// Holds its bus's thread until it is let go.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    bodies: Mutex<Vec<Bytes>>,
}

impl SignalInlet for Gate {
    fn offer(&self, signal: Arriving) {
        self.bodies.lock().unwrap().push(signal.body);
        let closed = self.opened.wait_timeout_while(self.is_open.lock().unwrap(), 20 * S, |is_open| !*is_open);
        drop(closed.unwrap());
    }
}

#[actix::test]
async fn a_bus_that_stands_still_costs_the_server_bounded_memory_and_what_is_dropped_is_counted() {
    if !require_rabbitmq("a_bus_that_stands_still_costs_the_server_bounded_memory_and_what_is_dropped_is_counted") {
        return;
    }
    let place = rabbitmq::shared("a_bus_that_stands_still").await;
    let (messages, prefetch) = (NonZeroU32::new(10).unwrap(), NonZeroU16::new(2).unwrap());
    let config: AmqpConfig = place.url().parse().unwrap();
    let config = config.backlog(messages, NonZeroU64::new(1 << 20).unwrap()).prefetch(prefetch);
    let gate = Arc::new(Gate::default());
    let (tell, told) = tokio::sync::oneshot::channel();
    let arbiter = actix_rt::Arbiter::new();
    arbiter.spawn({
        let gate = gate.clone();
        async move {
            let bus = formicary_actors::bus::amqp::start(&config, env()).unwrap();
            bus.subscribe("ping", gate).await.unwrap();
            tell.send(bus).unwrap();
        }
    });
    let still = told.await.unwrap();
    let program = Program::connect(&place.url()).await;
    // More than the sockets between us hold.
    const ALL: usize = 2_000;
    let body = |n: usize| format!("{n:>32768}");
    for n in 0..ALL {
        program.signal("ping.me", body(n).as_bytes()).await;
    }
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
    let events = &still.env().events;
    wait::until(5 * S, "the loss to be told", async || events.count(EventKind::Dropped) >= 1).await;
    let last = body(ALL - 1);
    let newest = async || gate.bodies.lock().unwrap().last().is_some_and(|body| &body[..] == last.as_bytes());
    wait::until(10 * S, "the newest", newest).await;
    let got = gate.bodies.lock().unwrap().len();
    assert!(got < ALL / 2, "the server kept no more than its backlog, and what was on its way: {got}");
    arbiter.stop();
}
