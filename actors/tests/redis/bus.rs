//! What only Redis has: its channels, and its users.

use std::sync::Arc;

use formicary_actors::events::EventKind;
use formicary_actors::{Error, SendError};
use formicary_test_support::redis::Server;
use formicary_test_support::require_redis;

use crate::common::{Inbox, Ping, bus};

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
