//! The four outcomes.

use std::time::Duration;

use formicary_actors::contract::{Outcome, Settlement};
use formicary_protocol::DeadReason;

use super::{Told, counts, ended, failure, happened, say, stories};
use crate::broker::stage::Stage;
use crate::broker::taker::{Taker, send};

stories! {
    each_outcome_does_what_it_says,
    a_delivery_is_settled_once,
    returns_go_to_the_head_in_their_old_order promises returns_to_the_head,
    what_was_tried_already_returns_before_the_list_with_its_attempt promises retries_come_first,
    a_retry_counts_and_remembers_the_last_ten_failures,
}

const RETRY_NOW: Outcome = Outcome::Retry { after: Duration::ZERO };

async fn each_outcome_does_what_it_says(stage: &Stage) -> Told {
    let broker = stage.broker();
    send(&broker, "mailer", 0..4).await;
    let taker = Taker::of(&broker, "mailer", 4).await;
    let got = taker.next(4).await;
    let mut told: Told = got.iter().map(say).collect();
    told.push(counts(&broker, "mailer").await);
    taker.cancel().await;
    let outcomes = [
        (Outcome::Ack, None),
        (Outcome::Retry { after: Duration::from_secs(60) }, failure("not yet")),
        (Outcome::Dead { reason: DeadReason::Exhausted }, failure("never")),
        (Outcome::Return, None),
    ];
    let batch: Vec<_> = got
        .iter()
        .zip(outcomes)
        .map(|(delivered, (outcome, failure))| Settlement::new(delivered.token, outcome).failed(failure))
        .collect();
    told.push(ended(taker.settle(batch).await));
    told.push(counts(&broker, "mailer").await);
    told.push(happened(&broker));
    told
}

async fn a_delivery_is_settled_once(stage: &Stage) -> Told {
    let broker = stage.broker();
    send(&broker, "mailer", 0..2).await;
    let taker = Taker::of(&broker, "mailer", 4).await;
    let got = taker.next(2).await;
    let mut told = Told::new();
    for outcome in [Outcome::Ack, Outcome::Return, RETRY_NOW, Outcome::Dead { reason: DeadReason::Refused }] {
        told.push(ended(taker.settle(Settlement::new(got[0].token, outcome)).await));
    }
    let both = got.iter().map(|one| Settlement::new(one.token, Outcome::Ack)).collect::<Vec<_>>();
    told.push(ended(taker.settle(both).await));
    told.push(counts(&broker, "mailer").await);
    told.push(happened(&broker));
    told
}

async fn returns_go_to_the_head_in_their_old_order(stage: &Stage) -> Told {
    let broker = stage.broker();
    send(&broker, "mailer", 0..8).await;
    let taker = Taker::of(&broker, "mailer", 5).await;
    let got = taker.next(5).await;
    taker.cancel().await;
    taker.ack(&got[1]).await;
    let batch = [3, 0, 4, 2].map(|at| Settlement::new(got[at].token, Outcome::Return));
    let mut told = vec![ended(taker.settle(batch.to_vec()).await), counts(&broker, "mailer").await];
    let other = Taker::of(&stage.broker(), "mailer", 16).await;
    told.extend(other.next(7).await.iter().map(say));
    told.push(happened(&broker));
    told
}

async fn what_was_tried_already_returns_before_the_list_with_its_attempt(stage: &Stage) -> Told {
    let broker = stage.broker();
    send(&broker, "mailer", 0..3).await;
    let taker = Taker::of(&broker, "mailer", 1).await;
    let first = taker.one().await;
    // The others wait for the credit, and the one that is due comes before them.
    taker.settle(Settlement::new(first.token, RETRY_NOW).failed(failure("no"))).await.unwrap();
    let again = taker.one().await;
    let mut told = vec![say(&again), (again.id == first.id).to_string()];
    told.push((again.first_seen_ms == first.first_seen_ms).to_string());
    taker.cancel().await;
    taker.settle(Settlement::new(again.token, Outcome::Return)).await.unwrap();
    told.push(counts(&broker, "mailer").await);
    let other = Taker::of(&stage.broker(), "mailer", 16).await;
    let rest = other.next(3).await;
    told.extend(rest.iter().map(say));
    told.push((rest[0].id == first.id).to_string());
    told
}

async fn a_retry_counts_and_remembers_the_last_ten_failures(stage: &Stage) -> Told {
    let broker = stage.broker();
    send(&broker, "mailer", 0..1).await;
    let taker = Taker::of(&broker, "mailer", 1).await;
    let mut told = Told::new();
    for n in 1..=12 {
        let one = taker.one().await;
        told.push(say(&one));
        let retry = Settlement::new(one.token, RETRY_NOW);
        taker.settle(retry.failed(failure(&n.to_string()))).await.unwrap();
    }
    told.push(say(&taker.one().await));
    told
}
