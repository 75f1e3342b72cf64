//! Quorum queues, from which RabbitMQ 4 drops what comes back too often unless it is told not to.

use std::collections::BTreeMap;

use formicary_actors::AmqpConfig;
use formicary_actors::contract::{Letters, Outcome};
use formicary_protocol::DeadReason;
use formicary_test_support::{rabbitmq, require_rabbitmq};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{broker_of, consume, counts, send, settle};

/// RabbitMQ 4 drops what has come back so often.
const LIMIT: usize = 20;

#[actix::test]
async fn a_message_may_come_back_to_a_quorum_queue_as_often_as_need_be() {
    if !require_rabbitmq("a_message_may_come_back_to_a_quorum_queue_as_often_as_need_be") {
        return;
    }
    let place = rabbitmq::shared("quorum-returns").await;
    let config: AmqpConfig = place.url().parse().unwrap();
    let broker = broker_of(config.quorum());
    let (id, tray) = consume(&broker, "mailer", 1).await;
    send(&broker, 0..1).await;
    for at in 0..LIMIT + 5 {
        let got = tray.until(at + 1).await;
        assert_eq!((got[at].attempt, &*got[at].body), (1, &b"0"[..]));
        broker.settled(id, settle(&got[at], Outcome::Return)).await.unwrap();
    }
    let got = tray.until(LIMIT + 6).await;
    let dead = Outcome::Dead { reason: DeadReason::Rejected };
    broker.settled(id, settle(&got[LIMIT + 5], dead)).await.unwrap();
    // Who looks at a dead letter takes it and gives it back.
    for _ in 0..LIMIT + 5 {
        assert_eq!(broker.peek("mailer", Letters::all()).await.unwrap().len(), 1);
    }
    counts(&broker, "the dead letter is still there", (0, 0, 0, 1)).await;
}

/// The port of a proxy to a server, which says that it is RabbitMQ 9.
async fn as_version_9(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    actix_rt::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            actix_rt::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (mut hello, mut greeting) = ([0; 8], vec![0; 4096]);
                client.read_exact(&mut hello).await.unwrap();
                server.write_all(&hello).await.unwrap();
                let count = server.read(&mut greeting).await.unwrap();
                greeting.truncate(count);
                let version = b"\x07versionS\0\0\0\x063.10.8";
                let at = greeting.windows(version.len()).position(|window| window == version).unwrap();
                greeting[at + version.len() - 6..][..6].copy_from_slice(b"9.10.8");
                client.write_all(&greeting).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    port
}

#[actix::test]
async fn the_delivery_limit_of_a_newer_server_is_lifted_but_not_of_a_queue_that_is_there() {
    if !require_rabbitmq("the_delivery_limit_of_a_newer_server_is_lifted_but_not_of_a_queue_that_is_there") {
        return;
    }
    let place = rabbitmq::shared("quorum-limit").await;
    let older: AmqpConfig = place.url().parse().unwrap();
    let older = broker_of(older.quorum());
    send(&older, 0..1).await;
    let newer: AmqpConfig = place.url_by(as_version_9(place.server().port()).await).parse().unwrap();
    let newer = broker_of(newer.quorum());
    newer.declare("second").await.unwrap();
    let (id, tray) = consume(&newer, "mailer", 1).await;
    newer.settled(id, settle(&tray.until(1).await[0], Outcome::Ack)).await.unwrap();
    let topology = place.topology().await;
    let limit_of = |queue: &serde_json::Value| {
        let name = queue["queue"].as_str().unwrap().to_owned();
        (name, queue["arguments"].get("x-delivery-limit").and_then(serde_json::Value::as_i64))
    };
    let limits: BTreeMap<_, _> = topology["queues"].as_array().unwrap().iter().map(limit_of).collect();
    // RabbitMQ 3.10 would take a limit of -1, too, and drop what comes back for the first time.
    let names = ["mailer", "mailer.dead", "second", "second.dead"].map(str::to_owned);
    assert_eq!(limits, BTreeMap::from_iter(names.into_iter().zip([None, None, Some(-1), Some(-1)])));
}
