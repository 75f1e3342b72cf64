//! Dead letters.

use formicary_actors::contract::{DeadCounts, Letters, Outcome};
use formicary_actors::events::EventKind;
use formicary_protocol::{DeadLetter, DeadReason, Failure};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::broker::consume;
use crate::common::{S, ask, broker, settle};

#[actix::test]
async fn dead_letters_are_kept_peeked_replayed_and_purged() {
    if !require_redis("dead_letters_are_kept_peeked_replayed_and_purged") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 256).await;
    for n in 0..250 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(250).await;
    let dead = got.iter().map(|one| {
        let mut dead = settle(one.token, Outcome::Dead { reason: DeadReason::Refused });
        dead.failure = Some(Failure::new(3, "Agent", "deliver", "broken"));
        dead
    });
    broker.settle(id, dead.collect::<Vec<_>>());
    let events = &broker.env().events;
    wait::until(2 * S, "250 dead", async || events.count(EventKind::DeadLettered) == 250).await;
    let raw = server.command(&["LINDEX", "mailer:dead", "0"]).await.unwrap();
    let letter = DeadLetter::decode(raw.bytes().unwrap()).unwrap();
    assert_eq!((letter.entry.id.as_str(), &letter.entry.body[..]), (&*got[0].id, &b"0"[..]));
    assert_eq!(letter.entry.history, [Failure::new(3, "Agent", "deliver", "broken")]);
    assert_eq!((letter.reason.clone(), letter.died_at_ms > 0), (DeadReason::Refused, true));

    assert_eq!(broker.peek("mailer", Letters::all().oldest(2)).await.unwrap()[0], letter);
    assert_eq!(broker.peek("mailer", Letters::all()).await.unwrap().len(), 250);
    assert_eq!(broker.inspect("mailer").await.unwrap().dead, 250);
    let replayed = broker.replay("mailer", Letters::all().oldest(120)).await.unwrap();
    assert_eq!(replayed, 120);
    let again = tray.until(370).await;
    assert_eq!((again[250].id.clone(), again[250].attempt), (got[0].id.clone(), 1));
    assert_eq!(again[250].history.len(), 1, "the history is kept");
    let order: Vec<_> = again[250..].iter().map(|one| one.id.clone()).collect();
    assert_eq!(order, got[..120].iter().map(|one| one.id.clone()).collect::<Vec<_>>());
    assert_eq!(broker.purge("mailer", Letters::all()).await.unwrap(), 130);
    assert_eq!(ask(&server, &["EXISTS", "mailer:dead"]).await, 0);
}

#[actix::test]
async fn what_is_not_ours_to_read_becomes_a_dead_letter() {
    if !require_redis("what_is_not_ours_to_read_becomes_a_dead_letter") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    server.command(&["ZADD", "mailer:delayed", "1", "rubbish"]).await.unwrap();
    server.command(&["ZADD", "mailer:delayed", "2", "{\"id\":\"a\\\"b\",\"attempt\":3}\nx"]).await.unwrap();
    let (_, tray) = consume(&broker, 4).await;
    let got = tray.until(1).await;
    assert_eq!((&*got[0].id, got[0].attempt), ("a\"b", 3));
    wait::until(S, "the dead letter", async || {
        broker.peek("mailer", Letters::all().oldest(9)).await.unwrap().len() == 1
    })
    .await;
    let letters = broker.peek("mailer", Letters::all().oldest(9)).await.unwrap();
    assert_eq!((&letters[0].entry.body[..], &letters[0].reason), (&b"rubbish"[..], &DeadReason::Undecodable));
}

#[actix::test]
async fn each_reason_is_counted_and_peeked_replayed_and_purged_alone() {
    if !require_redis("each_reason_is_counted_and_peeked_replayed_and_purged_alone") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 500).await;
    for n in 0..450 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(450).await;
    let reasons = [DeadReason::Exhausted, DeadReason::Undecodable, DeadReason::Other("moon".into())];
    let dead =
        got.iter().enumerate().map(|(n, one)| settle(one.token, Outcome::Dead { reason: reasons[n % 3].clone() }));
    broker.settled(id, dead.collect::<Vec<_>>()).await.unwrap();
    let kept = server.command(&["HGET", "mailer:meta", "dead:undecodable"]).await.unwrap();
    assert_eq!(kept.text().unwrap(), "150", "counted in the step that buries");
    let counted = async || {
        let counts = broker.inspect("mailer").await.unwrap();
        let DeadCounts { exhausted, undecodable, other, .. } = counts.dead_by;
        (counts.dead, exhausted, undecodable, other)
    };
    assert_eq!(counted().await, (450, 150, 150, 150));

    let undecodable = Letters::of(DeadReason::Undecodable);
    let peeked = broker.peek("mailer", undecodable.clone().oldest(120)).await.unwrap();
    assert_eq!((peeked.len(), &peeked[119].entry.body[..]), (120, &b"358"[..]));
    assert_eq!(broker.replay("mailer", undecodable.clone().oldest(120)).await.unwrap(), 120);
    let again = tray.until(570).await;
    let bodies: Vec<_> = again[450..].iter().map(|one| one.body.clone()).collect();
    assert_eq!(bodies, peeked.into_iter().map(|letter| letter.entry.body).collect::<Vec<_>>());
    assert_eq!(counted().await, (330, 150, 30, 150));
    assert_eq!(broker.purge("mailer", Letters::of(DeadReason::Other("moon".into()))).await.unwrap(), 150);
    assert_eq!(counted().await, (180, 150, 30, 0));
    // The others stand in their old order.
    let rest = broker.peek("mailer", Letters::all()).await.unwrap();
    let numbers: Vec<u32> =
        rest.iter().map(|letter| String::from_utf8_lossy(&letter.entry.body).parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.len() == 180);
    assert_eq!(broker.purge("mailer", undecodable).await.unwrap(), 30);
    assert_eq!(broker.replay("mailer", Letters::all()).await.unwrap(), 150);
    assert_eq!(counted().await, (0, 0, 0, 0));
}

#[actix::test]
async fn counts_of_dead_letters_are_mended_when_somebody_else_was_at_them() {
    if !require_redis("counts_of_dead_letters_are_mended_when_somebody_else_was_at_them") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let letter = |reason| {
        let entry = formicary_protocol::Entry::new("a", 1, "x".into());
        DeadLetter { entry, reason, died_at_ms: 1 }.encode()
    };
    for _ in 0..120 {
        let command: [&[u8]; 5] =
            [b"RPUSH", b"mailer:dead", &letter(DeadReason::Expired), &letter(DeadReason::Refused), b"rubbish"];
        server.command(&command).await.unwrap();
    }
    for _ in 0..2 {
        let counts = broker.inspect("mailer").await.unwrap();
        let by = counts.dead_by;
        assert_eq!((counts.dead, by.expired, by.refused, by.other), (360, 120, 120, 120));
        let kept = server.command(&["HGET", "mailer:meta", "dead:expired"]).await.unwrap();
        assert_eq!(kept.text().unwrap(), "120");
    }
    // Equal ones are all put back.
    assert_eq!(broker.replay("mailer", Letters::of(DeadReason::Other("unreadable".into()))).await.unwrap(), 120);
    assert_eq!(ask(&server, &["ZCARD", "mailer:delayed"]).await, 120);
    server.command(&["DEL", "mailer:dead"]).await.unwrap();
    assert_eq!(broker.inspect("mailer").await.unwrap().dead_by.sum(), 0);
}
