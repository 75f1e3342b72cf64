//! What goes out together with an acknowledgement: messages, and keys that are remembered.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use formicary_actors::RedisConfig;
use formicary_actors::broker::{Broker, Intake};
use formicary_actors::contract::{
    ConsumerId, DedupBy, Outcome, Outgoing, Seen, SendOptions, SettleError, Settlement, Token,
};
use formicary_actors::events::EventKind;
use formicary_protocol::Entry;
use formicary_test_support::proxy::{Mode, Proxy};
use formicary_test_support::redis::Server;
use formicary_test_support::{require_redis, wait};
use serde_json::json;

use crate::common::{S, Tray, ask, broker, broker_of, taken, up};

async fn consume(broker: &Broker, credit: usize) -> (ConsumerId, Arc<Tray>) {
    let tray = Arc::new(Tray::default());
    let credit = NonZeroUsize::new(credit).unwrap();
    let intake = Intake::new("mailer", credit, "Agent.deliver", tray.clone());
    let intake = intake.outbox(["second".into(), "mailer".into()]).dedup(DedupBy::Key);
    (broker.consume_with(intake).await.unwrap(), tray)
}

fn outgoing(queue: &str, body: &'static str, delay: Option<Duration>) -> Outgoing {
    let mut options = SendOptions::default();
    options.delay = delay;
    Outgoing { queue: queue.into(), body: body.into(), options }
}

fn ack(token: Token, outbox: Vec<Outgoing>) -> Settlement {
    let mut settlement = Settlement::new(token, Outcome::Ack);
    settlement.outbox = outbox;
    settlement
}

fn seen(token: Token, key: &str, window: Duration, outbox: Vec<Outgoing>) -> Settlement {
    let mut settlement = ack(token, outbox);
    settlement.seen = Some(Seen { key: key.into(), window });
    settlement
}

#[actix::test]
async fn an_outbox_is_sent_with_the_acknowledgement_and_only_then() {
    if !require_redis("an_outbox_is_sent_with_the_acknowledgement_and_only_then") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 4).await;
    for n in 0..3 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(3).await;
    let out =
        vec![outgoing("second", "a", None), outgoing("second", "later", Some(60 * S)), outgoing("second", "b", None)];
    let queued = broker.env().events.count(EventKind::Queued);
    broker.settled(id, ack(got[0].token, out)).await.unwrap();
    let list = server.command(&["LRANGE", "second", "0", "-1"]).await.unwrap();
    assert_eq!(list.array().iter().filter_map(|one| one.text()).collect::<Vec<_>>(), ["a", "b"]);
    let delayed = server.command(&["ZRANGE", "second:delayed", "0", "-1"]).await.unwrap();
    let entry = Entry::decode(delayed.array()[0].bytes().unwrap()).unwrap();
    assert_eq!((entry.attempt, &entry.body[..]), (1, &b"later"[..]));
    assert_eq!(broker.env().events.count(EventKind::Queued) - queued, 3);
    // A retry sends nothing.
    let mut retry = ack(got[1].token, vec![outgoing("second", "never", None)]);
    retry.outcome = Outcome::Retry { after: 60 * S };
    broker.settled(id, retry).await.unwrap();
    // Nor does what comes too late.
    let place = server.command(&["KEYS", "mailer:taken:*"]).await.unwrap().array()[0].text().unwrap();
    server.command(&["DEL", &place]).await.unwrap();
    let error = broker.settled(id, ack(got[2].token, vec![outgoing("second", "never", None)])).await.unwrap_err();
    assert_eq!(error, SettleError::Late(vec![got[2].token]));
    assert_eq!(ask(&server, &["LLEN", "second"]).await, 2);
}

#[actix::test]
async fn an_outbox_whose_answer_is_lost_is_sent_once() {
    if !require_redis("an_outbox_whose_answer_is_lost_is_sent_once") {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::start(server.port()).await;
    let broker = broker(&proxy.url());
    let (id, tray) = consume(&broker, 1).await;
    for n in 0..2 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
        let token = tray.until(n + 1).await[n].token;
        if n == 0 {
            broker.settled(id, ack(token, vec![outgoing("second", "first", None)])).await.unwrap();
            continue;
        }
        proxy.set_to_client(Mode::Blackhole);
        broker.settle(id, ack(token, vec![outgoing("second", "once", None)]));
        wait::until(S, "the server to apply it", async || taken(&server, "mailer").await == 0).await;
        proxy.set_to_client(Mode::Pass);
        proxy.drop_all().await;
    }
    let events = &broker.env().events;
    wait::until(2 * S, "the repetition", async || events.count(EventKind::Consumed) == 2).await;
    assert_eq!((ask(&server, &["LLEN", "second"]).await, events.count(EventKind::LateSettlement)), (2, 0));
}

#[actix::test]
async fn what_cannot_be_sent_is_refused_whole_and_a_broken_key_stops_only_its_own() {
    if !require_redis("what_cannot_be_sent_is_refused_whole_and_a_broken_key_stops_only_its_own") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 4).await;
    for n in 0..3 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(3).await;
    let unknown = ack(got[0].token, vec![outgoing("third", "x", None)]);
    assert_eq!(broker.settled(id, unknown).await, Err(SettleError::NoOutbox));
    let mut keyed = ack(got[0].token, vec![outgoing("second", "x", None)]);
    keyed.outbox[0].options.key = Some("k".to_owned());
    assert_eq!(broker.settled(id, keyed).await, Err(SettleError::NoOutbox));
    server.command(&["SET", "second", "not a list"]).await.unwrap();
    let broken = ack(got[0].token, vec![outgoing("second", "x", None)]);
    broker.settle(id, vec![broken, ack(got[1].token, Vec::new())]);
    let events = &broker.env().events;
    wait::until(S, "the other one", async || events.count(EventKind::Consumed) == 1).await;
    broker.settled(id, ack(got[2].token, Vec::new())).await.unwrap();
    assert_eq!(taken(&server, "mailer").await, 1, "the broken one is kept");
    server.command(&["DEL", "second"]).await.unwrap();
    wait::until(2 * S, "it to heal", async || events.count(EventKind::Consumed) == 3).await;
    assert_eq!(ask(&server, &["LLEN", "second"]).await, 1);
}

#[actix::test]
async fn a_key_is_remembered_for_its_window_and_its_second_message_sends_nothing() {
    if !require_redis("a_key_is_remembered_for_its_window_and_its_second_message_sends_nothing") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 8).await;
    for n in 0..4 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(4).await;
    let keys = || vec!["a".into(), "b".into()];
    assert_eq!(broker.were_seen(id, keys()).await.unwrap(), [false, false]);
    let out = || vec![outgoing("second", "x", None)];
    broker.settled(id, seen(got[0].token, "a", 60 * S, out())).await.unwrap();
    assert_eq!(broker.were_seen(id, keys()).await.unwrap(), [true, false]);
    broker.settled(id, seen(got[1].token, "a", 60 * S, out())).await.unwrap();
    let events = &broker.env().events;
    assert_eq!((events.count(EventKind::Consumed), events.count(EventKind::Deduplicated)), (1, 1));
    assert_eq!(ask(&server, &["LLEN", "second"]).await, 1);
    // A short window ends, and what it held is cleared away by and by.
    let brief = Duration::from_millis(50);
    broker.settled(id, seen(got[2].token, "b", brief, out())).await.unwrap();
    wait::until(S, "the end of the window", async || !broker.were_seen(id, keys()).await.unwrap()[1]).await;
    broker.settled(id, seen(got[3].token, "b", brief, out())).await.unwrap();
    assert_eq!((events.count(EventKind::Deduplicated), ask(&server, &["LLEN", "second"]).await), (1, 3));
    assert_eq!(ask(&server, &["ZCARD", "mailer:seen"]).await, 2);
    assert!(ask(&server, &["PTTL", "mailer:seen"]).await > 50_000, "it goes away when nobody needs it");
}

#[actix::test]
async fn no_more_keys_are_remembered_than_is_set() {
    if !require_redis("no_more_keys_are_remembered_than_is_set") {
        return;
    }
    let server = Server::start().await;
    let config = server.url().parse::<RedisConfig>().unwrap();
    let broker = broker_of(config.remembered_keys(NonZeroUsize::new(10).unwrap()));
    let (id, tray) = consume(&broker, 64).await;
    for n in 0..30 {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
    }
    let got = tray.until(30).await;
    let all = got.iter().enumerate().map(|(n, one)| seen(one.token, &n.to_string(), (60 + n as u32) * S, Vec::new()));
    broker.settled(id, all.collect::<Vec<_>>()).await.unwrap();
    assert_eq!(ask(&server, &["ZCARD", "mailer:seen"]).await, 10);
    let kept = broker.were_seen(id, vec!["19".into(), "20".into(), "29".into()]).await.unwrap();
    assert_eq!(kept, [false, true, true]);
}

#[actix::test]
async fn a_cluster_refuses_queues_that_lie_in_several_slots() {
    if !require_redis("a_cluster_refuses_queues_that_lie_in_several_slots") {
        return;
    }
    let server = Server::options().arg("--cluster-enabled").arg("yes").start().await;
    let slots = server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    slots.unwrap();
    let broker = broker(&server.url());
    up(|| broker.connection()).await;
    let intake = |queue, outbox: &str| {
        Intake::new(queue, NonZeroUsize::MIN, "c", Arc::new(Tray::default())).outbox([outbox.into()])
    };
    let error = broker.consume_with(intake("mailer", "mailer")).await.unwrap_err();
    assert!(error.to_string().contains("holds a hash tag"), "{error}");
    let error = broker.consume_with(intake("{mail}er", "second")).await.unwrap_err();
    assert!(error.to_string().contains("the queue `second` of its outbox lies in another slot"), "{error}");
    wait::until(5 * S, "slots that the server serves", async || {
        broker.consume_with(intake("{mail}er", "{mail}s")).await.is_ok()
    })
    .await;
}

#[actix::test]
async fn ids_of_senders_do_not_exist_on_lists() {
    if !require_redis("ids_of_senders_do_not_exist_on_lists") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let intake = Intake::new("mailer", NonZeroUsize::MIN, "c", Arc::new(Tray::default())).dedup(DedupBy::Id);
    let error = broker.consume_with(intake).await.unwrap_err();
    assert!(error.to_string().contains("use `dedup(window, by = \"field\")`"), "{error}");
    let capabilities = broker.describe().await.unwrap().capabilities;
    assert!(capabilities.outbox && capabilities.dedup);
}

#[actix::test]
async fn a_window_of_any_length_can_be_remembered() {
    if !require_redis("a_window_of_any_length_can_be_remembered") {
        return;
    }
    let server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, 2).await;
    for (n, window) in [Duration::ZERO, Duration::MAX].into_iter().enumerate() {
        broker.dynamic("mailer", &json!(n)).await.unwrap();
        let token = tray.until(n + 1).await[n].token;
        broker.settled(id, seen(token, &format!("key {n}"), window, Vec::new())).await.unwrap();
    }
    assert_eq!(taken(&server, "mailer").await, 0);
    assert!(ask(&server, &["PTTL", "mailer:seen"]).await > 0);
}
