//! What other programs may write to our channels and queues.

use std::collections::BTreeMap;

use formicary::events::{BadInput, Event, Listener};
use formicary::{CallError, Error, EventKind, Group};
use formicary_test_support::bad_bodies;
use formicary_test_support::redis::Server;

use crate::alone::alone;
use crate::common::*;
use crate::ledger::Ledger;
use crate::rss::{self, MIB};
use crate::traffic::Worker;

on_redis! {
    bad_signals_are_counted_by_kind_and_end_no_subscription,
    bad_messages_are_dead_letters_at_once,
    an_answer_that_is_no_answer_is_counted,
}

async fn worker(url: &str) -> (Group, Ledger) {
    let ledger = Ledger::default();
    let book = ledger.clone();
    (group_at(url).agent(move || Worker(book.clone())).start().await.unwrap(), ledger)
}

fn kinds(listener: &mut Listener) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for event in heard(listener) {
        if let Event::BadInput { what, .. } = event {
            *kinds.entry(format!("{what:?}")).or_default() += 1;
        }
    }
    kinds
}

fn count(what: BadInput, n: usize) -> (String, usize) {
    (format!("{what:?}"), n)
}

/// Bad channels and bodies are counted by their kind, answered with an error where they are calls, and nothing more.
async fn bad_signals_are_counted_by_kind_and_end_no_subscription() {
    let server = Server::start().await;
    let (group, ledger) = worker(&server.url()).await;
    let events = group.events();
    let mut listener = events.listen();
    let mut raw = server.connect().await.unwrap();
    let bodies = bad_bodies();
    for body in &bodies {
        let receivers = raw.command(&[&b"PUBLISH"[..], b"PUBSUB:ping:raw", body]).await.unwrap();
        assert_eq!(receivers.integer(), Some(1));
    }
    let channels = [
        &b"PUBSUB:ping:"[..],
        b"PUBSUB:ping:#",
        b"PUBSUB:ping:raw#",
        b"PUBSUB:response:no-call",
        b"PUBSUB:response:",
        b"PUBSUB:response_error:#",
    ];
    for channel in channels {
        raw.command(&[b"PUBLISH", channel, b"{\"n\": 1}"]).await.unwrap();
    }
    // The driver drops a channel that is no text before we could count it.
    raw.command(&[&b"PUBLISH"[..], b"PUBSUB:ping:\xff", b"{\"n\": 1}"]).await.unwrap();
    let huge = vec![b'x'; 2 << 20];
    raw.command(&[&b"PUBLISH"[..], b"PUBSUB:ping:raw", &huge]).await.unwrap();
    // Odd, and taken: unknown arguments, a bare NaN beside what is wanted, further `:` and `#`, a call that nobody made.
    for (n, (channel, rest)) in [
        ("PUBSUB:ping:raw", r#", "x": 1"#),
        ("PUBSUB:ping:raw", r#", "x": NaN"#),
        ("PUBSUB:ping::a::b:", ""),
        ("PUBSUB:ping:a#b#c", ""),
        ("PUBSUB:ping:*?[x]", ""),
        ("PUBSUB:response:stranger#no-such-call", ""),
    ]
    .into_iter()
    .enumerate()
    {
        raw.command(&["PUBLISH", channel, &format!(r#"{{"n": {n}{rest}}}"#)]).await.unwrap();
    }
    // Signals that nobody declared, or that are no text, do not even come.
    for channel in [&b"PUBSUB:unknown:raw"[..], b"PUBSUB::raw", b"PUBSUB:\xff:raw", b"PUBSUB", b"OTHER:ping:raw"] {
        assert_eq!(raw.command(&[b"PUBLISH", channel, b"{}"]).await.unwrap().integer(), Some(0));
    }
    ping(group.bus(), 99).await;
    until(SOON, "the good ones", async || ledger.open().heard.len() == 6).await;
    let all = bodies.len() + channels.len() + 1;
    until(SOON, "all the bad ones", async || match events.count(EventKind::BadInput) {
        count if count == all as u64 => Ok(()),
        count => Err(format!("{count} of {all}, handled {:?}", events.counters())),
    })
    .await;
    let wanted =
        [count(BadInput::Body, bodies.len()), count(BadInput::Channel, channels.len()), count(BadInput::TooLarge, 1)];
    assert_eq!(kinds(&mut listener), BTreeMap::from(wanted));
    assert_eq!((events.count(EventKind::Repaired), events.count(EventKind::Mismatched)), (1, 2));
    assert_eq!((events.count(EventKind::Crashed), events.count(EventKind::Disconnected)), (0, 0));
    assert_eq!(group.bus().call("test", &Ask { n: 5 }).await.unwrap(), 5);
    group.stop().await;
}

/// A message that cannot be decoded, or is too large, is dead-lettered at once with its bytes; the next one is consumed.
async fn bad_messages_are_dead_letters_at_once() {
    let server = Server::start().await;
    let (group, ledger) = worker(&server.url()).await;
    let mut raw = server.connect().await.unwrap();
    let mut bodies = bad_bodies();
    bodies.push(vec![b'x'; 2 << 20]);
    for body in &bodies {
        raw.command(&[&b"RPUSH"[..], b"jobs", body]).await.unwrap();
    }
    raw.command(&["RPUSH", "jobs", r#"{"n": 99}"#]).await.unwrap();
    let dead = async || match group.events().count(EventKind::DeadLettered) {
        count if count == bodies.len() as u64 => Ok(()),
        count => Err(format!("{count} of {}", bodies.len())),
    };
    until(SOON, "the dead letters", dead).await;
    until(SOON, "the good one", async || ledger.open().done.contains_key(&99)).await;
    let letters = group.broker().peek("jobs", formicary::contract::Letters::all().oldest(100)).await.unwrap();
    let mut kept: Vec<_> = letters.iter().map(|letter| letter.entry.body.to_vec()).collect();
    kept.sort();
    bodies.sort();
    assert!(kept == bodies, "the bytes are not those that were pushed");
    assert_eq!(group.events().count(EventKind::Retried), 0);
    group.stop().await;
}

/// An answer whose body is no answer ends its call with an error of its own, and is counted.
async fn an_answer_that_is_no_answer_is_counted() {
    let server = Server::start().await;
    let group = group_at(&server.url()).start().await.unwrap();
    let mut listener = group.events().listen();
    let mut raw = server.connect().await.unwrap();
    raw.command(&["PSUBSCRIBE", "PUBSUB:ask:*"]).await.unwrap();
    for body in ["no json", "[1]", r#"{"Agent.method": "no number"}"#] {
        let bus = group.bus().clone();
        let call = actix::spawn(async move { bus.call("test", &Ask { n: 1 }).await });
        let request = raw.read().await.unwrap();
        let channel = request.array()[2].text().unwrap();
        let id = channel.rsplit_once('#').unwrap().1;
        server.command(&["PUBLISH", &format!("PUBSUB:response:stranger#{id}"), body]).await.unwrap();
        match call.await.unwrap().unwrap_err() {
            Error::Call(CallError::Decode { .. }) => {}
            other => panic!("{body}: {other}"),
        }
    }
    assert_eq!(group.events().count(EventKind::CallFailed), 3);
    assert_eq!(kinds(&mut listener), BTreeMap::from([count(BadInput::Answer, 3)]));
    group.stop().await;
}

alone! {
    /// Ten bodies of 10 MB and 20,000 senders pass without a trace in memory: the process stays under 120 MiB.
    async fn huge_bodies_and_many_senders_leave_memory_flat() {
        let server = Server::start().await;
        let (group, ledger) = worker(&server.url()).await;
        let mut raw = server.connect().await.unwrap();
        {
            let huge = vec![b'x'; 10_000_000];
            for _ in 0..10 {
                raw.command(&[&b"PUBLISH"[..], b"PUBSUB:ping:raw", &huge]).await.unwrap();
            }
        }
        until(SOON, "all that is too large", async || group.events().count(EventKind::BadInput) == 10).await;
        let before = rss::now();
        for n in 0..20_000 {
            raw.command(&["PUBLISH", &format!("PUBSUB:ping:sender-{n}"), r#"{"n": 1}"#]).await.unwrap();
            raw.command(&["PUBLISH", &format!("PUBSUB:ping:sender-{n}"), "no json"]).await.unwrap();
        }
        let all = async || group.events().count(EventKind::BadInput) == 20_010;
        until(SOON, "all that is no json", all).await;
        until(SOON, "the rest", async || group.events().count(EventKind::Handled) == 20_000).await;
        assert!(ledger.open().heard.contains_key(&1));
        let grown = rss::now().saturating_sub(before);
        let peak = rss::peak();
        println!("measured: {} KiB more after 20,000 senders, {} MiB at the peak", grown >> 10, peak / MIB);
        assert!(grown < 16 * MIB, "{} KiB", grown >> 10);
        assert!(peak < 120 * MIB, "{} MiB", peak / MIB);
        group.stop().await;
    }
}
