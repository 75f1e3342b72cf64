//! The Redis server of a test.

use std::time::Duration;

use formicary_test_support::redis::{Cluster, Server};
use formicary_test_support::{require_redis, wait};

use crate::{A_WHILE, SOON};

#[tokio::test]
async fn answers_and_is_gone_after_its_drop() {
    if !require_redis("answers_and_is_gone_after_its_drop") {
        return;
    }
    let server = Server::start().await;
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(server.command(&["PING"]).await.expect("PONG").text().as_deref(), Some("PONG"));
    let process = format!("/proc/{}", server.pid().expect("a process"));
    assert!(std::path::Path::new(&process).exists());
    drop(server);
    assert!(!std::path::Path::new(&process).exists());
}

#[tokio::test]
async fn an_error_of_the_server_is_an_error() {
    if !require_redis("an_error_of_the_server_is_an_error") {
        return;
    }
    let server = Server::start().await;
    let error = server.command(&["LLEN"]).await.expect_err("an error");
    assert!(error.to_string().contains("wrong number of arguments"), "{error}");
}

#[tokio::test]
async fn carries_raw_bytes() {
    if !require_redis("carries_raw_bytes") {
        return;
    }
    let server = Server::start().await;
    let odd = &b"\xff\r\n\x00"[..];
    server.command(&[b"RPUSH", &b"mailer"[..], odd]).await.expect("a push");
    let taken = server.command(&["LPOP", "mailer"]).await.expect("a pop");
    assert_eq!(taken.bytes(), Some(odd));
    let none = server.command(&["LPOP", "mailer"]).await.expect("a pop");
    assert_eq!(none.bytes(), None);
}

#[tokio::test]
async fn a_connection_reads_pushes() {
    if !require_redis("a_connection_reads_pushes") {
        return;
    }
    let server = Server::start().await;
    let mut subscriber = server.connect().await.expect("a connection");
    subscriber.command(&["PSUBSCRIBE", "PUBSUB:*"]).await.expect("a subscription");
    let heard = server.command(&["PUBLISH", "PUBSUB:started:me", "{}"]).await.expect("a publish");
    assert_eq!(heard.integer(), Some(1));
    let push = subscriber.read().await.expect("a push");
    let texts: Vec<_> = push.array().iter().filter_map(|entry| entry.text()).collect();
    assert_eq!(texts, ["pmessage", "PUBSUB:*", "PUBSUB:started:me", "{}"]);
}

#[tokio::test]
async fn a_password_is_asked_for() {
    if !require_redis("a_password_is_asked_for") {
        return;
    }
    let server = Server::options().password("secret").start().await;
    assert!(server.url().starts_with("redis://:secret@127.0.0.1:"));
    assert!(!format!("{server:?}").contains("secret"));
    server.command(&["PING"]).await.expect("PONG");
    let mut stranger = formicary_test_support::redis::Connection::open(server.port()).await.expect("a connection");
    let error = stranger.command(&["PING"]).await.expect_err("NOAUTH");
    assert!(error.to_string().starts_with("NOAUTH"), "{error}");
}

#[tokio::test]
async fn a_restart_keeps_the_port_and_with_append_only_the_data() {
    if !require_redis("a_restart_keeps_the_port_and_with_append_only_the_data") {
        return;
    }
    let mut server = Server::options().append_only().arg("--maxclients").arg("77").start().await;
    server.command(&["RPUSH", "mailer", "one"]).await.expect("a push");
    let (port, pid) = (server.port(), server.pid());
    server.kill().await;
    server.command(&["PING"]).await.expect_err("it is down");
    server.restart().await;
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(server.command(&["LLEN", "mailer"]).await.expect("a length").integer(), Some(1));
    let clients = server.command(&["CONFIG", "GET", "maxclients"]).await.expect("a setting");
    assert_eq!(clients.array()[1].text().as_deref(), Some("77"));
    server.stop().await;
    assert_eq!(server.pid(), None);
}

#[tokio::test]
async fn without_append_only_a_restart_is_empty() {
    if !require_redis("without_append_only_a_restart_is_empty") {
        return;
    }
    let mut server = Server::start().await;
    server.command(&["RPUSH", "mailer", "one"]).await.expect("a push");
    server.restart().await;
    assert_eq!(server.command(&["LLEN", "mailer"]).await.expect("a length").integer(), Some(0));
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_it_goes_on() {
    if !require_redis("a_frozen_server_is_silent_until_it_goes_on") {
        return;
    }
    let mut server = Server::start().await;
    server.pause();
    let silent = tokio::time::timeout(A_WHILE, server.command(&["PING"])).await;
    assert!(silent.is_err(), "{silent:?}");
    server.resume();
    wait::until(SOON, "an answer", async || server.command(&["PING"]).await).await;
    server.pause();
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.expect("a frozen server stops too");
}

#[tokio::test]
async fn many_servers_start_at_once() {
    if !require_redis("many_servers_start_at_once") {
        return;
    }
    let (a, b, c) = tokio::join!(Server::start(), Server::start(), Server::start());
    for server in [&a, &b, &c] {
        server.command(&["SET", "port", &server.port().to_string()]).await.expect("OK");
    }
    for server in [&a, &b, &c] {
        let port = server.command(&["GET", "port"]).await.expect("a value").text();
        assert_eq!(port, Some(server.port().to_string()));
    }
}

#[tokio::test]
async fn a_restart_waits_until_the_data_is_loaded() {
    if !require_redis("a_restart_waits_until_the_data_is_loaded") {
        return;
    }
    const ENTRIES: i64 = 3_000;
    // Redis looks at its clients once in 1,024 commands while it loads, and answers INFO then.
    let slowly = Server::options().append_only().arg("--key-load-delay").arg("100");
    let mut server = slowly.start().await;
    let mut connection = server.connect().await.expect("a connection");
    for _ in 0..ENTRIES {
        connection.send(&["RPUSH", "mailer", "one"]).await.expect("a push");
    }
    for _ in 0..ENTRIES {
        connection.read().await.expect("a length");
    }
    server.restart().await;
    let length = server.command(&["LLEN", "mailer"]).await.expect("a length");
    assert_eq!(length.integer(), Some(ENTRIES));
}

#[tokio::test]
async fn a_cluster_has_three_nodes_with_their_own_slots() {
    if !require_redis("a_cluster_has_three_nodes_with_their_own_slots") {
        return;
    }
    let cluster = Cluster::start().await;
    let mut owners = std::collections::HashSet::new();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let owner = cluster.owner(key).await;
        owner.command(&["SET", key, "1"]).await.expect("the owner takes its key");
        owners.insert(owner.port());
        for other in cluster.nodes().iter().filter(|node| node.port() != owner.port()) {
            let moved = other.command(&["SET", key, "1"]).await.expect_err("another node").to_string();
            assert!(moved.starts_with("MOVED ") && moved.ends_with(&owner.port().to_string()), "{moved}");
        }
    }
    assert!(owners.len() > 1, "all on one node");
}
