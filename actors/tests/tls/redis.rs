//! `rediss://`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use formicary_actors::bus::Bus;
use formicary_actors::contract::ConnectionState;
use formicary_actors::{Env, RedisConfig};
use formicary_protocol::{Declarations, Prefix};
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::{Cluster, Server};
use formicary_test_support::tls::{Authority, Tls};
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::common::*;

async fn serve(tls: Tls) -> (Server, u16) {
    let server = Server::options().tls(tls).start().await;
    let port = server.tls_port().unwrap();
    (server, port)
}

fn at(port: u16, authority: &Authority) -> RedisConfig {
    let config: RedisConfig = format!("rediss://127.0.0.1:{port}").parse().unwrap();
    config.ca_file(authority.file())
}

fn bus(config: &RedisConfig) -> Bus {
    formicary_actors::bus::redis::start(config, env()).unwrap()
}

#[actix::test]
async fn bus_and_broker_work_over_tls() {
    if !require_redis("bus_and_broker_work_over_tls") {
        return;
    }
    let authority = Authority::new();
    let (server, port) = serve(authority.server("127.0.0.1")).await;
    let config = at(port, &authority);
    let bus = bus(&config);
    outcome(|| bus.connection()).await.unwrap();
    assert_eq!(bus.describe().await.unwrap().address, format!("rediss://127.0.0.1:{port}/0"));
    bus.dynamic("sender", "ping", &json!({"n": 1})).await.unwrap();
    let broker = formicary_actors::broker::redis::start(&config, env()).unwrap();
    broker.dynamic("mailer", &json!({"text": "x".repeat(200_000)})).await.unwrap();
    assert_eq!(server.command(&["LLEN", "mailer"]).await.unwrap().integer(), Some(1));
}

#[actix::test]
async fn a_server_that_is_not_trusted_is_told() {
    if !require_redis("a_server_that_is_not_trusted_is_told") {
        return;
    }
    let authority = Authority::new();
    let (_server, port) = serve(authority.server("127.0.0.1")).await;
    for stranger in [Authority::new(), Authority::named("stranger")] {
        let distrusted = bus(&at(port, &stranger));
        let reason = lasting(|| distrusted.connection()).await;
        assert!(reason.contains(&format!("signed by nobody in the CA file {}", stranger.file().display())), "{reason}");
    }
    let config: RedisConfig = format!("rediss://127.0.0.1:{port}").parse().unwrap();
    let machine = bus(&config);
    let reason = lasting(|| machine.connection()).await;
    assert!(reason.contains("`ca_file`"), "{reason}");
}

#[actix::test]
async fn a_certificate_for_another_host_is_told() {
    if !require_redis("a_certificate_for_another_host_is_told") {
        return;
    }
    let authority = Authority::new();
    let (_server, port) = serve(authority.server("redis.test")).await;
    let bus = bus(&at(port, &authority));
    let reason = lasting(|| bus.connection()).await;
    assert!(reason.contains("is for redis.test and not for the host of the URL"), "{reason}");
}

#[actix::test]
async fn an_expired_certificate_is_told() {
    if !require_redis("an_expired_certificate_is_told") {
        return;
    }
    let authority = Authority::new();
    let (_server, port) = serve(authority.expired("127.0.0.1")).await;
    let bus = bus(&at(port, &authority));
    let reason = lasting(|| bus.connection()).await;
    assert!(reason.contains("has expired"), "{reason}");
}

#[actix::test]
async fn a_client_certificate_is_shown_to_who_demands_it() {
    if !require_redis("a_client_certificate_is_shown_to_who_demands_it") {
        return;
    }
    let authority = Authority::new();
    let (_server, port) = serve(authority.server("127.0.0.1").demand()).await;
    let without = bus(&at(port, &authority));
    let reason = lasting(|| without.connection()).await;
    assert!(reason.contains("demands a certificate of its clients"), "{reason}");
    assert!(reason.contains("`client_certificate`"), "{reason}");
    for stranger in [Authority::new(), Authority::named("stranger")] {
        let (certificate, key) = stranger.client("agent");
        let refused = bus(&at(port, &authority).client_certificate(certificate, key));
        let reason = lasting(|| refused.connection()).await;
        assert!(reason.contains("refuses our certificate"), "{reason}");
    }
    let (certificate, key) = authority.client("agent");
    let with = bus(&at(port, &authority).client_certificate(certificate, key));
    outcome(|| with.connection()).await.unwrap();
}

#[actix::test]
async fn tls_and_none_are_told_apart() {
    if !require_redis("tls_and_none_are_told_apart") {
        return;
    }
    let authority = Authority::new();
    let (server, port) = serve(authority.server("127.0.0.1")).await;
    let plain: RedisConfig = format!("redis://127.0.0.1:{port}").parse().unwrap();
    let plain = bus(&plain);
    let (reason, _) = outcome(|| plain.connection()).await.unwrap_err();
    assert!(reason.contains("`rediss://` is for TLS"), "{reason}");
    let encrypted = bus(&at(server.port(), &authority).connect_deadline(S / 2));
    let (reason, _) = outcome(|| encrypted.connection()).await.unwrap_err();
    assert!(reason.contains("`rediss://` is for TLS"), "{reason}");
}

#[actix::test]
async fn a_half_open_connection_with_tls_is_found_and_replaced() {
    if !require_redis("a_half_open_connection_with_tls_is_found_and_replaced") {
        return;
    }
    let authority = Authority::new();
    let (_server, port) = serve(authority.server("127.0.0.1")).await;
    let proxy = Proxy::start(port).await;
    let bus = bus(&at(proxy.port(), &authority).heartbeat(Duration::from_millis(200)));
    outcome(|| bus.connection()).await.unwrap();
    proxy.set(Mode::Blackhole);
    let down = async || matches!(bus.connection(), ConnectionState::Down { .. });
    wait::until(2 * S, "the loss of the connection", down).await;
    proxy.set(Mode::Pass);
    wait::until(10 * S, "the connection", async || bus.connection() == ConnectionState::Up).await;
}

/// Certificates that live for a day are renewed under a process that lives for a year.
#[actix::test]
async fn renewed_files_are_read_by_the_next_connection() {
    if !require_redis("renewed_files_are_read_by_the_next_connection") {
        return;
    }
    let (old, new) = (Authority::new(), Authority::new());
    let (mut server, port) = serve(new.server("127.0.0.1")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trusted.pem");
    std::fs::copy(old.file(), &file).unwrap();
    let config: RedisConfig = format!("rediss://127.0.0.1:{port}").parse().unwrap();
    let bus = bus(&config.ca_file(&file));
    lasting(|| bus.connection()).await;
    std::fs::copy(new.file(), &file).unwrap();
    wait::until(10 * S, "the connection", async || bus.connection() == ConnectionState::Up).await;
    server.restart().await;
    wait::until(10 * S, "the connection", async || bus.connection() == ConnectionState::Up).await;
}

#[actix::test]
async fn the_nodes_of_a_cluster_are_reached_by_tls() {
    if !require_redis("the_nodes_of_a_cluster_are_reached_by_tls") {
        return;
    }
    let authority = Authority::new();
    let options = Server::options().tls(authority.server("127.0.0.1")).arg("--tls-cluster").arg("yes");
    let cluster = Cluster::start_with(options).await;
    let queues = ["{a}jobs", "{b}jobs", "{c}jobs", "{d}jobs"];
    let declared: Vec<_> = queues.iter().map(|name| json!({"name": name})).collect();
    let declared = Declarations::parse(&json!({"queues": declared}).to_string(), "test").unwrap();
    let config = at(cluster.nodes()[0].tls_port().unwrap(), &authority);
    let env = Env::new(Prefix::default(), Arc::new(declared));
    let broker = formicary_actors::broker::redis::start(&config, env).unwrap();
    let mut owners = BTreeSet::new();
    for queue in queues {
        broker.dynamic(queue, &json!(1)).await.unwrap();
        let owner = cluster.owner(queue).await;
        assert_eq!(owner.command(&["LLEN", queue]).await.unwrap().integer(), Some(1));
        owners.insert(owner.port());
        let clients = owner.command(&["CLIENT", "LIST"]).await.unwrap().text().unwrap();
        let port = format!("laddr=127.0.0.1:{} ", owner.tls_port().unwrap());
        assert!(clients.lines().any(|one| one.contains(&port) && one.contains("name=formicary:broker")), "{clients}");
    }
    assert!(owners.len() > 1);
}
