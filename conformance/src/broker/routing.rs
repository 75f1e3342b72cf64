//! What is sent arrives, where it should.

use std::collections::BTreeSet;
use std::time::Duration;

use formicary_actors::contract::{Delivered, Letters, Outcome, SendOptions, Settlement};
use formicary_protocol::{Bytes, DeadReason};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::cast::{Creations, Mailer};
pub(crate) use super::keys::messages_of_one_key_keep_their_order_and_keys_go_side_by_side;
use super::stage::{Stage, up};
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::wait::until;

const SENDERS: u32 = 50;
const MESSAGES: u32 = 5_000;

/// Bodies arrive byte for byte, each with an id of its own, at its first attempt, with the time of its first delivery.
pub(crate) async fn messages_come_as_they_were_sent(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    send(&broker, "mailer", 0..3).await;
    let taker = Taker::of(&broker, "mailer", 8).await;
    let mut got = taker.next(3).await;
    got.sort_by(|one, other| one.body.cmp(&other.body));
    for (n, one) in got.iter().enumerate() {
        assert_eq!((&one.body, one.attempt, one.history.len()), (&Bytes::from(n.to_string()), 1, 0));
        assert!(one.first_seen_ms > 0, "it does not say when it was delivered first");
        taker.ack(one).await;
    }
    assert!(got[0].id != got[1].id && got[1].id != got[2].id, "ids are not of one message each");
    Ok(())
}

/// A body is any bytes: none, no text, no JSON, and many.
pub(crate) async fn a_body_is_any_bytes(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let mut bodies = [&b""[..], b"\xff\x00\r\n{", b"{\"id\":\"x\"}\nbelow", b"null", &[b'x'; 300_000]];
    for body in bodies {
        stage.push_raw("mailer", body).await?;
    }
    let taker = Taker::of(&broker, "mailer", 8).await;
    let mut got: Vec<_> = taker.next(bodies.len()).await.into_iter().map(|one| one.body).collect();
    bodies.sort_unstable();
    got.sort_unstable();
    assert!(got == bodies, "other bytes came than went in");
    Ok(())
}

/// What is put in for another program to take is the body, as it stands.
pub(crate) async fn another_program_reads_what_is_sent(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    broker.dynamic("mailer", &json!({"text": "ü"})).await.unwrap();
    send(&broker, "mailer", 1..2).await;
    let taken = stage.take_raw("mailer").await?;
    assert_eq!(taken, ["{\"text\":\"ü\"}", "1"].map(|body| body.as_bytes().to_vec()));
    Ok(())
}

/// A message goes to its queue and to no other.
pub(crate) async fn each_queue_has_its_own_messages(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let (mailer, second) = (Taker::of(&broker, "mailer", 16).await, Taker::of(&broker, "second", 16).await);
    for n in 0..20 {
        send(&broker, if n % 2 == 0 { "mailer" } else { "second" }, n..n + 1).await;
    }
    for (taker, rest) in [(&mailer, 0), (&second, 1)] {
        for one in taker.next(10).await {
            assert_eq!(number(&one) % 2, rest, "{:?} came to another queue", one.body);
            taker.ack(&one).await;
        }
        assert_eq!(taker.held(), 0);
    }
    Ok(())
}

/// 50 senders and 50 consumers, in ten processes each: every message is handled, and each once.
pub(crate) async fn fifty_senders_and_fifty_consumers_lose_and_double_nothing(stage: &mut Stage) -> Verdict {
    let brokers: Vec<_> = (0..10).map(|_| stage.broker()).collect();
    let others: Vec<_> = (0..10).map(|_| stage.broker()).collect();
    join_all(brokers.iter().chain(&others).map(|broker| up(broker, SOON * 2))).await;
    let takers = join_all((0..50).map(|n| Taker::of(&brokers[n % 10], "mailer", 16))).await;
    let share = MESSAGES / SENDERS;
    let sending = join_all((0..SENDERS).map(|n| send(&others[n as usize % 10], "mailer", n * share..(n + 1) * share)));
    let mut handled = Vec::new();
    let handling = until(SOON * 2, "all messages", async || {
        for taker in &takers {
            let all = taker.all();
            handled.extend(all.iter().map(number));
            let acks: Vec<_> = all.iter().map(|one| Settlement::new(one.token, Outcome::Ack)).collect();
            if !acks.is_empty() {
                taker.settle(acks).await.unwrap();
            }
        }
        handled.len() >= MESSAGES as usize
    });
    tokio::join!(sending, handling);
    let distinct: BTreeSet<_> = handled.iter().collect();
    stage.report(format_args!("{} of {MESSAGES} came twice", handled.len() - distinct.len()));
    assert_eq!((distinct.len(), handled.len()), (MESSAGES as usize, MESSAGES as usize), "handled, and once");
    let left = brokers[0].inspect("mailer").await.unwrap();
    assert_eq!((left.left(), left.dead), (0, 0));
    Ok(())
}

/// The messages of one sender come in their order.
pub(crate) async fn messages_of_one_sender_keep_their_order(stage: &mut Stage) -> Verdict {
    stage.promises("order within a queue", |promises| promises.in_order)?;
    let (sender, broker) = (stage.broker(), stage.broker());
    let taker = Taker::of(&broker, "mailer", 16).await;
    let sending = join_all((0..1_000).map(|n| {
        let sender = sender.clone();
        async move { sender.dynamic("mailer", &json!(n)).await.unwrap() }
    }));
    let taking = async {
        for n in 0..1_000 {
            let one = taker.one().await;
            assert_eq!(number(&one), n, "out of order");
            taker.let_settle(Settlement::new(one.token, Outcome::Ack));
        }
    };
    tokio::join!(sending, taking);
    Ok(())
}

/// The id that a sender gives its message arrives as the message's own, and its headers in the metadata: at each attempt,
/// and when the message comes back from the dead.
pub(crate) async fn what_is_sent_beside_a_body_arrives(stage: &mut Stage) -> Verdict {
    stage.can("headers", |can| can.headers).await?;
    let broker = stage.broker();
    let headers = [("tenant", "acme"), ("x-trace", "00-ü 1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut options = SendOptions::default();
    (options.id, options.headers) = (Some("order-7".to_owned()), headers.to_vec());
    broker.send_with::<Mailer>(&json!(1), options).await.unwrap();
    send(&broker, "mailer", 2..3).await;
    let taker = Taker::of(&broker, "mailer", 2).await;
    let mut got = taker.next(2).await;
    got.sort_by_key(number);
    let plain = got.remove(1);
    assert!(&*plain.id != "order-7", "the id of one message is another's");
    assert!(!headers.iter().any(|header| plain.metadata.contains(header)), "headers of another: {:?}", plain.metadata);
    taker.ack(&plain).await;
    let whole = |one: &Delivered| {
        assert_eq!((&*one.id, &one.body), ("order-7", &Bytes::from_static(b"1")));
        let lacks = headers.iter().find(|header| !one.metadata.contains(header));
        assert_eq!(lacks, None, "attempt {} has {:?}", one.attempt, one.metadata);
    };
    let first = got.remove(0);
    whole(&first);
    taker.settle(Settlement::new(first.token, Outcome::Retry { after: Duration::ZERO })).await.unwrap();
    let second = taker.one().await;
    whole(&second);
    taker.settle(Settlement::new(second.token, Outcome::Dead { reason: DeadReason::Refused })).await.unwrap();
    assert_eq!(broker.replay("mailer", Letters::all()).await.unwrap(), 1);
    whole(&taker.one().await);
    Ok(())
}

/// What is sent while nobody consumes waits for a consumer; one that ends and comes again goes on where it left.
pub(crate) async fn what_waits_is_there_for_a_late_consumer(stage: &mut Stage) -> Verdict {
    let sender = stage.broker();
    send(&sender, "mailer", 0..10).await;
    drop(sender);
    let mut seen = BTreeSet::new();
    for round in 0..5 {
        let broker = stage.broker();
        let taker = Taker::of(&broker, "mailer", 2).await;
        for one in taker.next(2).await {
            taker.ack(&one).await;
            assert!(seen.insert(number(&one)), "{:?} came again in round {round}", one.body);
        }
        taker.cancel().await;
        // What it took beyond goes back as it was.
        for one in taker.all() {
            taker.settle(Settlement::new(one.token, Outcome::Return)).await.unwrap();
        }
    }
    assert_eq!(seen, (0..10).collect());
    Ok(())
}

/// What was handled is gone for who does not say `replay`: neither closing nor opening again brings it back, and what was
/// not handled comes, each once.
pub(crate) async fn what_was_handled_comes_no_more(stage: &mut Stage) -> Verdict {
    stage.can("to forget what was handled", |can| !can.replay).await?;
    let look = stage.broker();
    send(&look, "mailer", 0..12).await;
    let mut handled = BTreeSet::new();
    for _ in 0..2 {
        let broker = stage.broker();
        let taker = Taker::of(&broker, "mailer", 8).await;
        for one in taker.next(4).await {
            taker.ack(&one).await;
            assert!(handled.insert(number(&one)), "{:?} was handled already", one.body);
        }
        broker.close(Instant::now() + SOON).await;
        // What it had in hand beyond goes back.
        until(SOON, "the rest", async || look.inspect("mailer").await.unwrap().waiting == 12 - handled.len() as u64)
            .await;
    }
    let taker = Taker::of(&look, "mailer", 12).await;
    for one in taker.next(4).await {
        taker.ack(&one).await;
        assert!(handled.insert(number(&one)), "{:?} was handled already", one.body);
    }
    assert_eq!((look.inspect("mailer").await.unwrap().left(), taker.held()), (0, 0));
    Ok(())
}

/// Every queue of an exchange gets every message that is sent to one of them.
pub(crate) async fn every_queue_of_an_exchange_gets_its_messages(stage: &mut Stage) -> Verdict {
    stage.can("exchanges", |can| can.exchanges).await?;
    let broker = stage.broker();
    for queue in ["audit", "archive"] {
        broker.declare(queue).await.unwrap();
    }
    send(&broker, "audit", 0..20).await;
    for queue in ["audit", "archive"] {
        let taker = Taker::of(&broker, queue, 32).await;
        let got: BTreeSet<_> = taker.next(20).await.iter().map(number).collect();
        assert_eq!(got, (0..20).collect(), "in {queue}");
    }
    Ok(())
}

/// A message with a topic goes to the queues whose patterns it matches.
pub(crate) async fn topics_choose_their_queues(stage: &mut Stage) -> Verdict {
    stage.can("exchanges", |can| can.exchanges).await?;
    let broker = stage.broker();
    for queue in ["creations", "users"] {
        broker.declare(queue).await.unwrap();
    }
    let topics = ["user.created", "user.renamed", "order.created", "user.name.changed"];
    for (n, topic) in topics.iter().enumerate() {
        let mut options = SendOptions::default();
        options.topic = Some((*topic).to_owned());
        broker.send_with::<Creations>(&json!(n), options).await.unwrap();
    }
    for (queue, wanted) in [("creations", vec![0, 2]), ("users", vec![0, 1, 3])] {
        let taker = Taker::of(&broker, queue, 8).await;
        let got: BTreeSet<_> = taker.next(wanted.len()).await.iter().map(number).collect();
        assert_eq!((got.into_iter().collect::<Vec<_>>(), taker.held()), (wanted, 0), "in {queue}");
    }
    Ok(())
}

/// Of the options of a send those that the adapter lacks are refused by their names, and nothing is sent.
pub(crate) async fn an_option_that_it_lacks_is_refused(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    let can = broker.describe().await.unwrap().capabilities;
    let mut options = [const { None }; 6];
    for (at, option) in options.iter_mut().enumerate() {
        let mut set = SendOptions::default();
        let lacks = match at {
            0 => (set.key = Some("k".into()), can.headers),
            1 => (set.headers = vec![("a".into(), "b".into())], can.headers),
            2 => (set.id = Some("i".into()), can.headers),
            3 => (set.expires = Some(SOON), can.headers),
            4 => (set.delay = Some(SOON), can.delay),
            _ => (set.topic = Some("a.b".into()), can.exchanges),
        };
        *option = (!lacks.1).then_some(set);
    }
    for option in options.into_iter().flatten() {
        let name = option.first_set().unwrap();
        let error = broker.send_with::<Mailer>(&json!(1), option).await.unwrap_err();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    assert_eq!(broker.inspect("mailer").await.unwrap().left(), 0);
    Ok(())
}
