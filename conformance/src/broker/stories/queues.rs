//! What waits, and who gets it.

use std::time::Duration;

use crate::wait::{patience, until};
use formicary_actors::contract::SendOptions;
use serde_json::json;
use tokio::time::Instant;

use super::{Told, counts, happened, say, stories};
use crate::broker::cast::Mailer;
use crate::broker::stage::Stage;
use crate::broker::taker::{SOON, Taker, send};

stories! {
    no_more_is_in_hand_than_the_credit,
    what_nobody_settled_goes_back_when_its_broker_ends,
    delays_end_in_their_order_and_never_early can delay,
}

async fn no_more_is_in_hand_than_the_credit(stage: &Stage) -> Told {
    let broker = stage.broker();
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

async fn what_nobody_settled_goes_back_when_its_broker_ends(stage: &Stage) -> Told {
    let broker = stage.broker();
    send(&broker, "mailer", 0..5).await;
    let (first, look) = (stage.broker(), stage.broker());
    let taker = Taker::of(&first, "mailer", 3).await;
    let got = taker.next(3).await;
    taker.ack(&got[1]).await;
    taker.cancel().await;
    drop((taker, first));
    // What another process has in hand is not counted everywhere, but what waits is.
    until(SOON, "them to go back", async || look.inspect("mailer").await.unwrap().waiting == 4).await;
    let mut told = vec![counts(&broker, "mailer").await];
    told.extend(Taker::of(&broker, "mailer", 9).await.next(4).await.iter().map(say));
    told
}

async fn delays_end_in_their_order_and_never_early(stage: &Stage) -> Told {
    let broker = stage.broker();
    let taker = Taker::of(&broker, "mailer", 8).await;
    let begun = Instant::now();
    let mut told = Told::new();
    // All are sent before the first of them comes.
    let time = |ms| patience() * Duration::from_millis(ms);
    for (n, ms) in [(3, 450), (1, 150), (2, 300)] {
        let mut options = SendOptions::default();
        options.delay = Some(time(ms));
        broker.send_with::<Mailer>(&json!(n), options).await.unwrap();
    }
    told.push(counts(&broker, "mailer").await);
    send(&broker, "mailer", 0..1).await;
    for ms in [0, 150, 300, 450] {
        told.push(say(&taker.one().await));
        told.push((begun.elapsed() >= time(ms)).to_string());
    }
    told
}
