//! Passwords stay secret.

use formicary::events::EventKind;
use formicary::{AmqpConfig, BrokerConfig, BusConfig, RedisConfig};
use tracing_subscriber::filter::LevelFilter;

use crate::alone::alone_on_servers;
use crate::common::*;
use crate::lines::Lines;
use crate::server::{Kind, Server};
use crate::traffic::Traffic;

const SECRET: &str = "swordfish-7c1f";
const WRONG: &str = "sunfish-33ab";

fn is_silent(what: &str, text: &str) {
    for secret in [SECRET, WRONG] {
        if let Some(line) = text.lines().find(|line| line.contains(secret)) {
            panic!("a password in {what}: {line}");
        }
    }
}

alone_on_servers! {
    no_password_is_shown_anywhere,
}

/// No password appears in a log line of any level, ours or a dependency's, in an error, in `Debug` or in `info()`.
async fn no_password_is_shown_anywhere(kind: Kind) {
    let lines = Lines::gather(LevelFilter::TRACE);
    let (mut server, url) = kind.start_locked(SECRET).await;
    assert!(url.contains(SECRET));

    match kind {
        Kind::Redis => {
            let redis: RedisConfig = url.parse().unwrap();
            is_silent("a configuration", &format!("{redis:?} {redis:#?}"));
        }
        Kind::RabbitMq => {
            let amqp: AmqpConfig = url.parse().unwrap();
            is_silent("a configuration", &format!("{amqp:?} {amqp:#?}"));
        }
    }
    let (bus, broker): (BusConfig, BrokerConfig) = (url.parse().unwrap(), url.parse().unwrap());
    is_silent("a configuration", &format!("{bus:?} {broker:?}"));
    let builder = group_at(&url);
    is_silent("a builder", &format!("{builder:?}"));

    let traffic = Traffic::start(builder).await;
    traffic.flows_within(SOON).await;
    let group = &traffic.group;
    let (bus, broker) = (group.bus().describe().await.unwrap(), group.broker().describe().await.unwrap());
    is_silent("a description", &format!("{bus:?} {broker:?}"));
    is_silent("a description", &serde_json::to_string(&(&bus, &broker)).unwrap());
    let info = group.info().await;
    assert_eq!(info.agents.len(), 1);
    is_silent("info()", &format!("{info} {info:?} {}", serde_json::to_string(&info).unwrap()));
    is_silent("a handle", &format!("{group:?} {:?} {:?} {:?}", group.bus(), group.broker(), group.env()));

    let mut listener = group.events().listen();
    server.stop().await;
    until(SOON, "the loss of both connections", async || traffic.losses().0 == 2).await;
    is_silent("a state", &format!("{:?} {:?}", group.bus().connection(), group.broker().connection()));
    server.restart().await;
    until(SOON, "their return", async || traffic.losses().1 == 2).await;
    traffic.settle().await;
    for sent in &traffic.ledger.open().signals {
        is_silent("an error", &format!("{sent:?}"));
    }
    is_silent("an event", &format!("{:?}", heard(&mut listener)));
    assert_eq!(group.events().count(EventKind::Disconnected), 2);

    // A wrong password, which the server refuses in its own words; and one that goes to a Redis that wants none.
    let (scheme, open) = match kind {
        Kind::Redis => ("redis", Some(kind.start().await)),
        Kind::RabbitMq => ("amqp", None),
    };
    for port in [Some(server.port()), open.as_ref().map(Server::port)].into_iter().flatten() {
        for user in ["", "anna"] {
            if let Err(error) = group_at(&format!("{scheme}://{user}:{WRONG}@127.0.0.1:{port}")).start().await {
                is_silent("an error", &format!("{error} {error:?}"));
            }
        }
    }
    let text = lines.text();
    let driver = if kind == Kind::Redis { "TRACE fred::" } else { "TRACE lapin::" };
    assert!(text.contains(driver), "the driver's own lines are not gathered");
    assert!(text.contains("TRACE formicary") || text.contains("WARN formicary"), "our own lines are not gathered");
    is_silent("a log line", &text);
    println!("measured: {} lines", text.lines().count());
}
