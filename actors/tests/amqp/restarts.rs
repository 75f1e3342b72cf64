//! A server that is started again.

use std::time::Instant;

use formicary_actors::contract::{Outcome, SendOptions};
use formicary_actors::{Error, SendError};
use formicary_test_support::rabbitmq::Server;
use formicary_test_support::{require_rabbitmq, wait};
use serde_json::json;

use crate::common::{Mailer, S, broker, broker_of, consume, counts, send, settle};

#[actix::test]
async fn delays_and_messages_survive_a_restart_of_the_server() {
    if !require_rabbitmq("delays_and_messages_survive_a_restart_of_the_server") {
        return;
    }
    let mut server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, "mailer", 1).await;
    send(&broker, 0..2).await;
    let got = tray.until(1).await;
    let begun = Instant::now();
    broker.settled(id, settle(&got[0], Outcome::Retry { after: 12 * S })).await.unwrap();
    tray.until(2).await;
    // A server that is killed may forget acknowledgements, so that both the message and its retry come.
    server.restart().await;
    let again = wait::until(30 * S, "both", async || Some(tray.all()).filter(|all| all.len() >= 3)).await;
    assert_eq!((&*again[2].body, again[2].attempt), (&b"1"[..], 1));
    broker.settled(id, settle(&again[2], Outcome::Ack)).await.unwrap();
    let again = wait::until(30 * S, "the retry", async || tray.all().get(3).cloned()).await;
    assert_eq!((&*again.body, again.attempt, &again.id), (&b"0"[..], 2, &got[0].id));
    assert!(begun.elapsed() >= 12 * S, "the retry came too early: {:?}", begun.elapsed());
}

#[actix::test]
async fn a_restart_under_load_loses_nothing() {
    if !require_rabbitmq("a_restart_under_load_loses_nothing") {
        return;
    }
    const ALL: u32 = 3_000;
    let mut server = Server::start().await;
    let broker = broker(&server.url());
    let (id, tray) = consume(&broker, "mailer", 64).await;
    let sender = broker.clone();
    let sending = actix::spawn(async move {
        let mut doubtful = 0;
        for n in 0..ALL {
            loop {
                match sender.dynamic("mailer", &json!(n)).await {
                    Ok(()) => break,
                    Err(Error::Send(SendError::NotSent { .. })) => {}
                    Err(Error::Send(SendError::Unknown { .. })) => doubtful += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        doubtful
    });
    let settler = broker.clone();
    let from = tray.clone();
    let settling = actix::spawn(async move {
        let mut done = 0;
        loop {
            let all = from.all();
            for one in &all[done..] {
                settler.settle(id, settle(one, Outcome::Ack));
            }
            done = all.len();
            actix::clock::sleep(S / 100).await;
        }
    });
    wait::until(30 * S, "a third", async || tray.len() >= 1_000).await;
    server.restart().await;
    let doubtful = sending.await.unwrap();
    let seen = || tray.bodies().into_iter().collect::<std::collections::BTreeSet<_>>().len();
    wait::until(30 * S, "all", async || seen() == ALL as usize).await;
    counts(&broker, "nothing left", (0, 0, 0, 0)).await;
    settling.abort();
    eprintln!("{} deliveries of {ALL} messages, {doubtful} sends in doubt", tray.len());
    assert!(tray.len() < ALL as usize + 200, "too many duplicates");
}

#[actix::test]
async fn what_joins_python_does_not_survive_a_restart_and_is_declared_anew() {
    if !require_rabbitmq("what_joins_python_does_not_survive_a_restart_and_is_declared_anew") {
        return;
    }
    let mut server = Server::start().await;
    let config: formicary_actors::AmqpConfig = server.url().parse().unwrap();
    let broker = broker_of(config.microagent());
    assert!(!broker.describe().await.unwrap().capabilities.persistent);
    send(&broker, 0..2).await;
    server.restart().await;
    crate::common::up(&broker).await;
    let mut later = SendOptions::default();
    later.delay = Some(S / 10);
    broker.send_with::<Mailer>(&json!(7), later).await.unwrap();
    let (_, tray) = consume(&broker, "mailer", 4).await;
    assert_eq!(&*tray.until(1).await[0].body, b"7");
}
