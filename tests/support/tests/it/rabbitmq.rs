//! The RabbitMQ server of a test.

use std::fs;
use std::time::{Duration, Instant};

use formicary_test_support::rabbitmq::{Server, shared};
use formicary_test_support::{require_rabbitmq, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{A_WHILE, SOON};

/// The processes whose environment names this node.
fn processes_of(node: &str) -> Vec<String> {
    let wanted = format!("RABBITMQ_NODENAME={node}");
    let all = fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let of_node = |pid: &String| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|line| line == wanted.as_bytes())
    };
    all.filter(of_node).collect()
}

async fn hello(port: u16) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    stream.read_u8().await
}

#[tokio::test]
async fn a_node_lives_through_what_tests_do_to_it_and_leaves_nothing() {
    if !require_rabbitmq("a_node_lives_through_what_tests_do_to_it_and_leaves_nothing") {
        return;
    }
    let mut server = Server::options().setting("consumer_timeout = 77000").start().await;
    let (port, pid, node) = (server.port(), server.pid(), server.node());
    assert_eq!(server.url(), format!("amqp://formicary:secret-of-the-node@127.0.0.1:{port}/formicary"));
    assert!(!format!("{server:?}").contains("secret"));
    assert_eq!(server.eval("application:get_env(rabbit, consumer_timeout)").await, "{ok,77000}");
    let hosts = server.ctl(&["list_vhosts"]).await.expect("the hosts");
    assert!(hosts.lines().any(|line| line == "formicary"), "{hosts}");

    server.pause();
    let silent = tokio::time::timeout(A_WHILE, hello(port)).await;
    assert!(silent.is_err(), "{silent:?}");
    server.resume();
    wait::until(SOON, "an answer", async || hello(port).await).await;

    let kept = server.place("kept").await.name().to_owned();
    server.kill().await;
    hello(port).await.expect_err("it is down");
    server.restart().await;
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert!(server.eval("rabbit_vhost:list()").await.contains(&kept));
    server.stop().await;
    assert_eq!(server.pid(), None);
    server.restart().await;

    assert!(!processes_of(&node).is_empty());
    drop(server);
    wait::until(SOON, "the end of every process", async || {
        let left = processes_of(&node);
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

#[tokio::test]
async fn places_on_the_shared_node_are_apart() {
    if !require_rabbitmq("places_on_the_shared_node_are_apart") {
        return;
    }
    let (one, other) = (shared("places").await, shared("places").await);
    assert_ne!(one.url(), other.url());
    assert_eq!(one.server().port(), other.server().port());
    assert_eq!(one.queues().await, []);
    assert_eq!(one.connections().await, 0);
    one.forbid().await;
    one.allow().await;
    one.change_password("another").await;
    one.close_connections().await;
    let begun = Instant::now();
    shared("one more").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_alarm_of_memory_comes_and_goes() {
    if !require_rabbitmq("an_alarm_of_memory_comes_and_goes") {
        return;
    }
    let server = Server::start().await;
    server.memory_alarm(true).await;
    wait::until(SOON, "the alarm", async || server.eval("rabbit_alarm:get_alarms()").await.contains("memory")).await;
    server.memory_alarm(false).await;
    wait::until(SOON, "its end", async || server.eval("rabbit_alarm:get_alarms()").await == "[]").await;
}
