//! The RabbitMQ server of a test.

use std::fs;
use std::time::{Duration, Instant};

use formicary_test_support::python::Peer;
use formicary_test_support::rabbitmq::{Server, shared};
use formicary_test_support::{require_python, require_rabbitmq, wait, workspace};
use serde_json::json;
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

    // Its own place is that of its URL, made already; and what is made once is left as it is.
    let own = server.place("formicary").await;
    assert_eq!(own.url(), server.url());
    own.forbid().await;
    server.place("formicary").await;
    let may = server.ctl(&["list_permissions", "--vhost", "formicary"]).await.expect("the permissions");
    assert!(!may.contains(".*"), "{may}");

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

#[tokio::test]
async fn a_place_tells_what_a_python_peer_declared_and_disturbs_it() {
    let test = "a_place_tells_what_a_python_peer_declared_and_disturbs_it";
    if !require_rabbitmq(test) || !require_python(test) {
        return;
    }
    let (place, other) = (shared(test).await, shared(test).await);
    let (url, signals) = (place.url(), workspace().join("tests/interop/signals.json"));
    let signals = signals.to_string_lossy();
    let peer = ["--broker", &url, "--signals", &signals, "--consume", "letters", "--consume", "wire_topic"];
    let peer = Peer::start("peer.py", &[&peer[..], &["--fail-first", "1"]].concat()).await;
    peer.send(&json!({"do": "queue_send", "queue": "wire_noted", "message": {"n": 1}, "options": {"topic": "m.a"}}));
    let seen = peer.wait_json(|line| line["consumed"] == "wire_topic", SOON).await;
    assert_eq!((&seen["amqp"]["exchange"], &seen["amqp"]["routing_key"]), (&json!("wire_msg"), &json!("m.a")));

    let queues = place.queues().await;
    let names: Vec<_> =
        queues.iter().map(|queue| (&*queue.name, queue.consumers, queue.durable, &*queue.kind)).collect();
    assert_eq!(names, [("letters", 1, false, "classic"), ("wire_topic", 1, false, "classic")]);
    // An error leaves a message in Python's hands.
    assert_eq!((queues[1].ready, queues[1].unacked), (0, 1));
    let topology = place.topology().await;
    assert_eq!(topology["exchanges"][0]["exchange_type"], "topic");
    // The arguments of a queue are told, too.
    let declare = "rabbit_amqqueue:declare(rabbit_misc:r(<<\"{host}\">>, queue, <<\"aside\">>), true, false, \
        [{<<\"x-max-length\">>, long, 3}], none, <<\"test\">>), ok";
    assert_eq!(other.server().eval(&declare.replace("{host}", other.name())).await, "ok");
    let aside = &other.topology().await["queues"][0];
    assert_eq!((&aside["queue"], &aside["arguments"]), (&json!("aside"), &json!({"x-max-length": 3})));
    other.delete_queue("aside").await;
    let mut keys: Vec<_> =
        topology["bindings"].as_array().expect("bindings").iter().map(|one| &one["routing_key"]).collect();
    keys.sort_by_key(|key| key.to_string());
    assert_eq!(keys, ["m.*", "n.#"]);
    assert_eq!((other.queues().await.len(), other.connections().await), (0, 0));

    assert_eq!(place.connections().await, 3, "two consumers and a sender");
    other.close_connections().await;
    assert_eq!(place.connections().await, 3);
    place.delete_queue("letters").await;
    assert_eq!(place.queue("letters").await, None);
    place.close_connections().await;
    // What Python held waits for it, or has come back to it if it was quick to connect again.
    wait::until(SOON, "the message once more", async || {
        let again = peer.jsons(|line| line["consumed"] == "wire_topic" && line["amqp"]["redelivered"] == true);
        !again.is_empty() || place.queue("wire_topic").await.is_some_and(|queue| queue.ready == 1)
    })
    .await;
    place.forbid().await;
    peer.send(&json!({"do": "queue_length", "queue": "wire_topic"}));
    let refused = peer.wait_json(|line| line.get("error").is_some(), SOON).await;
    assert!(refused["error"].to_string().contains("ACCESS_REFUSED"), "{refused}");
}
