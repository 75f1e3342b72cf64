//! A start that cannot succeed says why, what to do, and no secret.

use std::time::{Duration, Instant};

use formicary::{BrokerConfig, BusConfig, Error};
use formicary_test_support::proxy::{Mode, Proxy};

use crate::common::*;
use crate::server::{Kind, Server};

on_servers! {
    a_wrong_password_is_told,
    a_server_that_is_not_there_is_told,
    a_server_that_says_nothing_is_told,
    a_queue_of_another_type_is_told,
}

const SECRET: &str = "swordfish-7c1f";
const LIMIT: Duration = Duration::from_secs(10);

/// Starts a group that cannot start; returns what it says, once that is known to come in time and to hold no secret.
async fn complaint(url: &str) -> String {
    let begun = Instant::now();
    let error = group_at(url).start().await.unwrap_err();
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let text = format!("{error}");
    assert!(!format!("{text} {error:?}").contains("swordfish"), "{error:?}");
    assert!(text.contains("check"), "it does not say what to do: {text}");
    println!("after {:?}: {text}", begun.elapsed());
    text
}

/// A URL of the server with these credentials.
fn url(kind: Kind, credentials: &str, place: &str) -> String {
    let scheme = if kind == Kind::Redis { "redis" } else { "amqp" };
    format!("{scheme}://{credentials}{place}")
}

/// A wrong password, or none, ends the start within 10 s with a line that says which server and what to check.
async fn a_wrong_password_is_told(kind: Kind) {
    let server = match kind {
        Kind::Redis => kind.start_locked("right").await.0,
        Kind::RabbitMq => kind.start().await,
    };
    let place = format!("127.0.0.1:{}", server.port());
    for credentials in ["", ":swordfish-7c1f@", "anna:swordfish-7c1f@"] {
        let text = complaint(&url(kind, credentials, &place)).await;
        assert!(text.contains(&place) && text.contains("user:password@"), "{text}");
    }
}

/// A port where nobody listens ends the start within 10 s with a line that says so.
async fn a_server_that_is_not_there_is_told(kind: Kind) {
    let mut server = kind.start_alone().await;
    server.stop().await;
    let place = format!("127.0.0.1:{}", server.port());
    let credentials = format!("anna:{SECRET}@");
    let text = complaint(&url(kind, &credentials, &place)).await;
    assert!(text.contains(&place) && text.contains("Connection refused"), "{text}");
    let text = complaint(&url(kind, &credentials, "no-such-host.invalid:6379")).await;
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

/// A server that takes the connection and says nothing ends the start within 10 s with a line that says so.
async fn a_server_that_says_nothing_is_told(kind: Kind) {
    let server = kind.start().await;
    let proxy = Proxy::start(server.port()).await;
    proxy.set(Mode::Blackhole);
    let text = complaint(&server.url_by(proxy.port())).await;
    assert!(text.contains("did not answer"), "{text}");
}

/// A consumer whose queue is there as something else is refused at the start, with its name and the cure.
async fn a_queue_of_another_type_is_told(kind: Kind) {
    let server = kind.start().await;
    match &server {
        Server::Redis(redis) => drop(redis.command(&["SET", "jobs", "a string"]).await.unwrap()),
        _ => {
            server.push(0..1).await;
            server.place().await.replace_queue("jobs").await;
        }
    }
    let worker = || crate::traffic::Worker(crate::ledger::Ledger::default());
    let error = group_at(&server.url()).agent(worker).start().await.unwrap_err().to_string();
    let (name, cure) = if kind == Kind::Redis { ("`jobs`", "rename or delete") } else { ("jobs", "delete") };
    assert!(error.contains(name) && error.contains(cure), "{error}");
}

/// A URL that is wrong is refused before anything starts, with the right form, and without what stands in it.
#[test]
fn a_wrong_url_is_told() {
    for (url, expected) in [
        (format!("localhost:{SECRET}"), "memory://, redis://host:port or amqp://host:port"),
        (format!("http://:{SECRET}@localhost"), "memory://, redis://host:port or amqp://host:port"),
        (format!("redis://{SECRET}@localhost"), "redis://:password@host"),
        (format!("redis://:{SECRET}@"), "redis://[user:password@]host[:port][/db]"),
        (format!("redis://:{SECRET}@localhost:port"), "from 1 to 65535"),
        (format!("redis://:{SECRET}@localhost/first"), "from 0 to 255"),
        (format!("redis://:{SECRET}#1@localhost"), "%23"),
        (format!("amqp://{SECRET}@localhost"), "amqp://user:password@host"),
        (format!("amqp://anna:{SECRET}@localhost:port"), "from 1 to 65535"),
        (format!("amqp://anna:{SECRET}@localhost/a/b"), "%2F"),
    ] {
        let bus = url.parse::<BusConfig>().unwrap_err();
        let broker = url.parse::<BrokerConfig>().unwrap_err();
        for error in [bus, broker] {
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains("swordfish"), "{error:?}");
        }
    }
}
