//! What an acknowledgement does in one step: it sends, and it remembers.

use std::sync::Arc;
use std::time::Duration;

use crate::wait::until;
use formicary_actors::contract::{DedupBy, Outcome, Outgoing, Seen, SendOptions, Settlement};
use formicary_protocol::{Bytes, DeadReason};

use super::{Told, counts, ended, failure, happened, say, stories};
use crate::broker::stage::Stage;
use crate::broker::taker::{SOON, Taker, send};

stories! {
    an_outbox_is_sent_with_its_acknowledgement can outbox,
    an_outbox_is_sent_with_nothing_else can outbox,
    a_late_acknowledgement_sends_nothing can outbox,
    a_full_outbox_keeps_its_order can outbox,
    a_key_is_remembered_for_its_window can dedup,
    a_second_acknowledgement_of_a_key_sends_nothing can dedup,
    only_an_applied_acknowledgement_remembers can dedup,
    the_keys_of_two_queues_are_apart can dedup,
}

const WINDOW: Duration = Duration::from_secs(60);

async fn with_outbox(stage: &Stage, messages: u32) -> (formicary_actors::broker::Broker, Taker) {
    let broker = stage.broker();
    send(&broker, "mailer", 0..messages).await;
    let taker = Taker::with(&broker, "mailer", 8, |intake| intake.outbox([Arc::from("second"), "mailer".into()])).await;
    (broker, taker)
}

async fn with_keys(stage: &Stage, messages: u32) -> (formicary_actors::broker::Broker, Taker) {
    let broker = stage.broker();
    send(&broker, "mailer", 0..messages).await;
    let ask = |intake: formicary_actors::broker::Intake| intake.dedup(DedupBy::Key).outbox([Arc::from("second")]);
    let taker = Taker::with(&broker, "mailer", 8, ask).await;
    (broker, taker)
}

fn to(queue: &str, body: &str) -> Outgoing {
    Outgoing { queue: queue.into(), body: Bytes::copy_from_slice(body.as_bytes()), options: SendOptions::default() }
}

fn key(key: &str, window: Duration) -> Option<Seen> {
    Some(Seen { key: key.into(), window })
}

async fn an_outbox_is_sent_with_its_acknowledgement(stage: &Stage) -> Told {
    let (broker, taker) = with_outbox(stage, 2).await;
    let got = taker.next(2).await;
    let mut ack = Settlement::new(got[0].token, Outcome::Ack);
    ack.outbox = vec![to("second", "a"), to("mailer", "b"), to("second", "c")];
    let mut told = vec![ended(taker.settle(vec![ack, Settlement::new(got[1].token, Outcome::Ack)]).await)];
    told.push(say(&taker.one().await));
    told.push(counts(&broker, "mailer").await);
    told.push(counts(&broker, "second").await);
    told.extend(Taker::of(&stage.broker(), "second", 8).await.next(2).await.iter().map(say));
    told.push(happened(&broker));
    told
}

async fn an_outbox_is_sent_with_nothing_else(stage: &Stage) -> Told {
    let (broker, taker) = with_outbox(stage, 3).await;
    let got = taker.next(3).await;
    taker.cancel().await;
    let outcomes = [Outcome::Retry { after: WINDOW }, Outcome::Dead { reason: DeadReason::Exhausted }, Outcome::Return];
    let mut told = Told::new();
    for (one, outcome) in got.iter().zip(outcomes) {
        let mut settlement = Settlement::new(one.token, outcome).failed(failure("no"));
        settlement.outbox = vec![to("second", "never")];
        told.push(ended(taker.settle(settlement).await));
    }
    told.push(counts(&broker, "second").await);
    told.push(happened(&broker));
    told
}

async fn a_late_acknowledgement_sends_nothing(stage: &Stage) -> Told {
    let (broker, taker) = with_outbox(stage, 2).await;
    let got = taker.next(2).await;
    taker.ack(&got[0]).await;
    let batch = got.iter().map(|one| {
        let mut ack = Settlement::new(one.token, Outcome::Ack);
        ack.outbox = vec![to("second", &format!("with {:?}", one.body))];
        ack
    });
    let mut told = vec![ended(taker.settle(batch.collect::<Vec<_>>()).await)];
    told.push(counts(&broker, "second").await);
    told.push(say(&Taker::of(&stage.broker(), "second", 8).await.one().await));
    told.push(happened(&broker));
    told
}

async fn a_full_outbox_keeps_its_order(stage: &Stage) -> Told {
    let (broker, taker) = with_outbox(stage, 1).await;
    let mut ack = Settlement::new(taker.one().await.token, Outcome::Ack);
    ack.outbox = (0..1_024).map(|n| to("second", &n.to_string())).collect();
    let mut told = vec![ended(taker.settle(ack).await), counts(&broker, "second").await];
    let got = Taker::of(&stage.broker(), "second", 1_024).await.next(1_024).await;
    told.push(got.iter().enumerate().all(|(n, one)| one.body == n.to_string()).to_string());
    told
}

async fn a_key_is_remembered_for_its_window(stage: &Stage) -> Told {
    let (_broker, taker) = with_keys(stage, 2).await;
    let got = taker.next(2).await;
    let mut told = vec![format!("{:?}", taker.seen(&["short", "long", ""]).await)];
    for (one, seen) in got.iter().zip([key("short", Duration::from_millis(500)), key("long", WINDOW)]) {
        let mut ack = Settlement::new(one.token, Outcome::Ack);
        ack.seen = seen;
        told.push(ended(taker.settle(ack).await));
    }
    told.push(format!("{:?}", taker.seen(&["long", "short", "other"]).await));
    until(SOON, "the end of the window", async || !taker.seen(&["short"]).await[0]).await;
    told.push(format!("{:?}", taker.seen(&["short", "long"]).await));
    told.push(format!("{:?}", taker.seen(&[]).await));
    told
}

async fn a_second_acknowledgement_of_a_key_sends_nothing(stage: &Stage) -> Told {
    let (broker, taker) = with_keys(stage, 4).await;
    let mut told = Told::new();
    // The third comes in one batch with another, and the fourth when the window is over.
    let got = taker.next(4).await;
    let ack = |at: usize, window| {
        let mut ack = Settlement::new(got[at].token, Outcome::Ack);
        ack.seen = key("k", window);
        ack.outbox = vec![to("second", &at.to_string())];
        ack
    };
    told.push(ended(taker.settle(vec![ack(0, Duration::from_millis(500)), ack(1, WINDOW)]).await));
    told.push(ended(taker.settle(ack(2, WINDOW)).await));
    until(SOON, "the end of the first window", async || !taker.seen(&["k"]).await[0]).await;
    told.push(ended(taker.settle(ack(3, WINDOW)).await));
    told.push(counts(&broker, "mailer").await);
    told.extend(Taker::of(&stage.broker(), "second", 8).await.next(2).await.iter().map(say));
    told.push(happened(&broker));
    told
}

async fn only_an_applied_acknowledgement_remembers(stage: &Stage) -> Told {
    let (broker, taker) = with_keys(stage, 3).await;
    let got = taker.next(3).await;
    taker.cancel().await;
    let mut told = Told::new();
    let outcomes = [Outcome::Return, Outcome::Dead { reason: DeadReason::Refused }, Outcome::Retry { after: WINDOW }];
    for (one, outcome) in got.iter().zip(outcomes) {
        for outcome in [outcome, Outcome::Ack] {
            let mut settlement = Settlement::new(one.token, outcome);
            settlement.seen = key("k", WINDOW);
            told.push(ended(taker.settle(settlement).await));
        }
    }
    let (_other, asks) = with_keys(stage, 0).await;
    told.push(format!("{:?}", asks.seen(&["k"]).await));
    told.push(happened(&broker));
    told
}

async fn the_keys_of_two_queues_are_apart(stage: &Stage) -> Told {
    let (broker, taker) = with_keys(stage, 1).await;
    let mut ack = Settlement::new(taker.one().await.token, Outcome::Ack);
    ack.seen = key("k", WINDOW);
    taker.settle(ack).await.unwrap();
    let second = Taker::with(&broker, "second", 1, |intake| intake.dedup(DedupBy::Key)).await;
    let same = Taker::with(&stage.broker(), "mailer", 1, |intake| intake.dedup(DedupBy::Key)).await;
    vec![format!("{:?} {:?}", second.seen(&["k"]).await, same.seen(&["k"]).await)]
}
