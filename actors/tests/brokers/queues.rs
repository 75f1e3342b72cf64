//! What waits, and who gets it.

use std::time::Duration;

use formicary_actors::contract::SendOptions;
use formicary_actors::{Error, SendError};
use formicary_protocol::{Field, Queue, Value};
use formicary_test_support::wait::until;
use serde_json::json;
use tokio::time::Instant;

use crate::side::{SOON, Side, Taker, Told, counts, happened, say, send, stories};

stories! {
    no_more_is_in_hand_than_the_credit,
    what_nobody_settled_goes_back_when_its_broker_ends,
    delays_end_in_their_order_and_never_early,
    bodies_are_any_bytes,
    a_full_broker_refuses_and_can_be_emptied,
    an_option_that_is_not_there_is_refused,
}

struct Mailer;

impl Queue for Mailer {
    const NAME: &'static str = "mailer";
    type Message = Value;

    fn fields() -> Option<Vec<Field>> {
        None
    }
}

async fn no_more_is_in_hand_than_the_credit(side: &Side) -> Told {
    let broker = side.broker();
    send(&broker, "mailer", 0..6).await;
    let taker = Taker::of(&broker, "mailer", 2).await;
    let mut told = Told::new();
    for _ in 0..3 {
        let two = taker.next(2).await;
        told.push(counts(&broker, "mailer").await);
        for one in &two {
            told.push(say(one));
            taker.ack(one).await;
        }
    }
    told.push(counts(&broker, "mailer").await);
    told.push(happened(&broker));
    told
}

async fn what_nobody_settled_goes_back_when_its_broker_ends(side: &Side) -> Told {
    let broker = side.broker();
    send(&broker, "mailer", 0..5).await;
    let (first, look) = (side.broker(), side.broker());
    let taker = Taker::of(&first, "mailer", 3).await;
    let got = taker.next(3).await;
    taker.ack(&got[1]).await;
    taker.cancel().await;
    drop((taker, first));
    until(SOON, "them to go back", async || look.inspect("mailer").await.unwrap().in_flight == 0).await;
    let mut told = vec![counts(&broker, "mailer").await];
    told.extend(Taker::of(&broker, "mailer", 9).await.next(4).await.iter().map(say));
    told
}

async fn delays_end_in_their_order_and_never_early(side: &Side) -> Told {
    let broker = side.broker();
    let taker = Taker::of(&broker, "mailer", 8).await;
    let begun = Instant::now();
    let mut told = Told::new();
    for (n, ms) in [(3, 450), (1, 150), (2, 300)] {
        let mut options = SendOptions::default();
        options.delay = Some(Duration::from_millis(ms));
        broker.send_with::<Mailer>(&json!(n), options).await.unwrap();
    }
    told.push(counts(&broker, "mailer").await);
    send(&broker, "mailer", 0..1).await;
    for ms in [0, 150, 300, 450] {
        told.push(say(&taker.one().await));
        told.push((begun.elapsed() >= Duration::from_millis(ms)).to_string());
    }
    told
}

async fn bodies_are_any_bytes(side: &Side) -> Told {
    let broker = side.broker();
    for body in [&b""[..], b"\xff\x00\n{", b"{\"id\":\"x\"}\nbelow", b"null", &[b'x'; 5_000]] {
        side.push_raw("mailer", body).await;
    }
    let got = Taker::of(&broker, "mailer", 8).await.next(5).await;
    got.iter().map(say).collect()
}

/// In memory by the number of messages, on Redis by their bytes.
async fn a_full_broker_refuses_and_can_be_emptied(side: &Side) -> Told {
    let broker = side.broker();
    send(&broker, "mailer", 0..1).await;
    if let Side::Redis(server) = side {
        let info = server.command(&["INFO", "memory"]).await.unwrap().text().unwrap();
        let used: u64 = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap();
        let most = (used + (2 << 20)).to_string();
        server.command(&["CONFIG", "SET", "maxmemory", &most]).await.unwrap();
    }
    let body = json!("x".repeat(256 << 10));
    let mut sent = 1;
    let refused = loop {
        match broker.dynamic("mailer", &body).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1_000, "it is never full");
    };
    let mut told = vec![matches!(refused, Error::Send(SendError::NotSent { .. })).to_string()];
    let taker = Taker::of(&broker, "mailer", 1).await;
    for _ in 0..sent {
        let one = taker.one().await;
        taker.ack(&one).await;
    }
    told.push(counts(&broker, "mailer").await);
    told.push(format!("{:?}", broker.dynamic("mailer", &body).await));
    told.push(format!("{}", taker.one().await.body.len()));
    told
}

async fn an_option_that_is_not_there_is_refused(side: &Side) -> Told {
    let broker = side.broker();
    let mut told = Told::new();
    let sets: [fn(&mut SendOptions); 4] = [
        |options| options.key = Some("k".into()),
        |options| options.headers = vec![("a".into(), "b".into())],
        |options| options.expires = Some(Duration::from_secs(1)),
        |options| options.id = Some("i".into()),
    ];
    for set in sets {
        let mut options = SendOptions::default();
        set(&mut options);
        let error = broker.send_with::<Mailer>(&json!(1), options).await.unwrap_err();
        told.push(error.to_string().replace("memory", "X").replace("redis", "X"));
    }
    told.push(counts(&broker, "mailer").await);
    told
}
