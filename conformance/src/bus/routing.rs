//! Who hears what.

use std::collections::BTreeMap;
use std::sync::Arc;

use formicary_protocol::Value;
use futures_util::future::join_all;
use serde_json::json;

use super::cast::{Ask, Note, Notes};
use super::inbox::{Inbox, number};
use super::stage::{SOON, Stage, publish};
use crate::left_out::{LeftOut, Verdict};
use crate::wait;

/// A signal and a call arrive with their names, their sender and their bytes; each call has an id of its own.
pub(crate) async fn a_signal_arrives_with_its_metadata(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    let (notes, asked) = (Inbox::of::<Note>(&there).await, Inbox::of::<Ask>(&there).await);
    here.publish("ada", &Note { n: 1 }).await.unwrap();
    let one = notes.until(1).await.remove(0);
    assert_eq!((&*one.signal, &*one.sender, one.call.as_deref()), ("note", "ada", None));
    assert_eq!(one.body, r#"{"n":1}"#);
    let calls = [2, 3].map(|n| stage.call(&here, n));
    let asked = asked.until(2).await;
    for one in &asked {
        assert_eq!((&*one.signal, &*one.sender), ("ask", "caller"));
    }
    let ids: Vec<_> = asked.iter().map(|one| one.call.as_deref().expect("a call without an id")).collect();
    assert_ne!(ids[0], ids[1]);
    for call in calls {
        call.abort();
    }
    assert_eq!(notes.len(), 1, "a call is no signal of another name");
    Ok(())
}

/// 50 publishers and 50 subscribers over ten connections: each of the 5,000 signals is heard once by every subscriber.
pub(crate) async fn each_of_5_000_signals_is_heard_by_each_of_50_subscribers(stage: &mut Stage) -> Verdict {
    const BUSES: usize = 10;
    const EACH: u64 = 100;
    let buses: Vec<_> = (0..BUSES).map(|_| stage.bus()).collect();
    let inboxes = join_all((0..50).map(|n| Inbox::of::<Note>(&buses[n % BUSES]))).await;
    let publish = async |publisher: usize| {
        let (bus, name) = (&buses[publisher % BUSES], format!("publisher-{publisher}"));
        for n in 0..EACH {
            bus.publish(&name, &Note { n }).await.unwrap();
        }
    };
    join_all((0..50).map(publish)).await;
    let ordered = stage.capabilities().await.ordered;
    for inbox in &inboxes {
        let mut by_sender: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        for one in inbox.until(5_000).await {
            by_sender.entry(one.sender.clone()).or_default().push(number(&one));
        }
        assert_eq!(by_sender.len(), 50);
        for (sender, mut numbers) in by_sender {
            if !ordered {
                numbers.sort_unstable();
            }
            assert!(numbers.iter().copied().eq(0..EACH), "of {sender} came {numbers:?}");
        }
    }
    Ok(())
}

/// Who subscribes to one signal hears no other one, and of another prefix nothing at all.
pub(crate) async fn signals_and_prefixes_are_apart(stage: &mut Stage) -> Verdict {
    let (here, there, elsewhere) = (stage.bus(), stage.bus(), stage.bus_with(stage.env_elsewhere()));
    let (notes, others) = (Inbox::of::<Note>(&there).await, Inbox::of::<Notes>(&there).await);
    let foreign = Inbox::of::<Note>(&elsewhere).await;
    for n in 0..100 {
        here.publish("me", &Notes { n: 1_000 + n }).await.unwrap();
        here.publish("me", &Note { n }).await.unwrap();
    }
    elsewhere.publish("me", &Note { n: 7 }).await.unwrap();
    notes.until(100).await;
    others.until(100).await;
    foreign.until(1).await;
    assert_eq!((notes.numbers(), foreign.numbers()), ((0..100).collect(), vec![7]));
    assert_eq!(others.numbers(), (1_000..1_100).collect::<Vec<_>>());
    Ok(())
}

/// What one sender publishes arrives in its order, also when nothing waits for the one before.
pub(crate) async fn signals_of_one_sender_keep_their_order(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    if !stage.capabilities().await.ordered {
        return Err(LeftOut("the bus keeps no order".into()));
    }
    let inbox = Inbox::of::<Note>(&there).await;
    join_all((0..1_000).map(|n| publish(&here, n))).await;
    inbox.until(1_000).await;
    assert_eq!(inbox.numbers(), (0..1_000).collect::<Vec<_>>());
    Ok(())
}

/// Subscriptions to one signal on one bus hear all of it, each until it is ended, and nothing after that.
pub(crate) async fn each_subscription_hears_until_it_is_ended(stage: &mut Stage) -> Verdict {
    let bus = stage.bus();
    let ((one, first), (two, second)) = (Inbox::with_id::<Note>(&bus).await, Inbox::with_id::<Note>(&bus).await);
    publish(&bus, 1).await;
    one.until_number(1).await;
    two.until_number(1).await;
    bus.unsubscribe(first).await;
    publish(&bus, 2).await;
    two.until_number(2).await;
    bus.unsubscribe(second).await;
    publish(&bus, 3).await;
    // An end right before a beginning takes nothing from it.
    let three = Inbox::of::<Note>(&bus).await;
    publish(&bus, 4).await;
    three.until_number(4).await;
    assert_eq!((one.numbers(), two.numbers()), (vec![1], vec![1, 2]));
    // The server may still have sent it what was published before it.
    assert!(matches!(three.numbers()[..], [4] | [3, 4]));
    Ok(())
}

/// A bus that knows its receivers tells how many there are; another one tells nothing.
pub(crate) async fn a_publish_tells_its_receivers_where_they_are_known(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    let known = stage.capabilities().await.receiver_counts;
    let expected = |count| known.then_some(count);
    assert_eq!(publish(&here, 0).await, expected(0));
    let (_inbox, id) = Inbox::with_id::<Note>(&there).await;
    assert_eq!(publish(&here, 1).await, expected(1));
    there.unsubscribe(id).await;
    wait::until(SOON, "the end of the subscription", async || publish(&here, 2).await == expected(0)).await;
    Ok(())
}

/// A subscriber hears nothing of what was published before it came.
pub(crate) async fn a_late_subscriber_hears_nothing_old(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    let early = Inbox::of::<Note>(&here).await;
    join_all((0..100).map(|n| publish(&here, n))).await;
    early.until(100).await;
    let late = Inbox::of::<Note>(&there).await;
    publish(&here, 100).await;
    late.until_number(100).await;
    assert_eq!(late.numbers(), [100]);
    Ok(())
}

/// A bus that was closed and is opened again, by the same process, hears and is heard as before.
pub(crate) async fn closed_and_opened_again_it_hears(stage: &mut Stage) -> Verdict {
    let other = stage.bus();
    let far = Inbox::of::<Note>(&other).await;
    for round in 0..3 {
        let bus = stage.bus();
        let near = Inbox::of::<Note>(&bus).await;
        publish(&other, round * 2).await;
        publish(&bus, round * 2 + 1).await;
        near.until(2).await;
        far.until_number(round * 2 + 1).await;
        stage.close(&bus).await;
        assert_eq!(near.len(), 2);
    }
    assert_eq!(far.len(), 6);
    Ok(())
}

/// Senders with dots, stars, spaces and letters of every script, and bodies of every shape, arrive as they were sent.
pub(crate) async fn odd_names_and_bodies_arrive_as_they_are(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&there).await;
    let long = "x".repeat(200);
    let senders =
        ["a.b.c", "*", ">", "?[x]", "%2E", "50%", "a b", "a/b\\c", "'\"", "Ünï", "蚂蚁", "🐜", "signal.sender", &long];
    for sender in senders {
        here.publish(sender, &Note { n: 1 }).await.unwrap();
    }
    let came = inbox.until(senders.len()).await;
    assert_eq!(came.iter().map(|one| &*one.sender).collect::<Vec<_>>(), senders);
    let bodies = bodies(here.env().limits.max_body.get());
    for body in &bodies {
        here.dynamic("me", "note", body).await.unwrap();
    }
    let came = inbox.until(senders.len() + bodies.len()).await;
    for (one, body) in came[senders.len()..].iter().zip(&bodies) {
        let got: Value = serde_json::from_slice(&one.body).unwrap();
        assert!(got == *body, "{:.100} came as {:.100}", body.to_string(), got.to_string());
    }
    Ok(())
}

/// Values of every kind, and one that makes the largest body that may be sent.
fn bodies(max_body: usize) -> Vec<Value> {
    let frame = json!({"n": ""}).to_string().len();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    [
        json!(null),
        json!(""),
        json!("\u{0}\u{1f}\u{7f}\u{2028}\r\n\t\"\\"),
        json!("蚂蚁 🐜 e\u{301}"),
        json!({"n": {"n": [[], {}, false, 1.5, -0.0, 1e300]}}),
        json!([u64::MAX, i64::MIN]),
        deep,
        json!("x".repeat(max_body - frame)),
    ]
    .into_iter()
    .map(|n| json!({ "n": n }))
    .collect()
}
