//! Dead letters, and each of their reasons alone.

use formicary_actors::broker::Broker;
use formicary_actors::contract::{Letters, Outcome, Settlement};
use formicary_protocol::{DeadLetter, DeadReason};

use super::{Told, counts, failure, happened, say, stories};
use crate::broker::stage::Stage;
use crate::broker::taker::{Taker, send};

stories! {
    letters_are_counted_by_their_reason can full_counts,
    letters_are_peeked_by_their_reason,
    letters_are_replayed_by_their_reason_with_their_history,
    letters_are_purged_by_their_reason,
}

const REASONS: [DeadReason; 7] = [
    DeadReason::Exhausted,
    DeadReason::Undecodable,
    DeadReason::Exhausted,
    DeadReason::Rejected,
    DeadReason::TooLarge,
    DeadReason::Expired,
    DeadReason::Refused,
];

/// Seven letters, with a number each.
async fn fill(broker: &Broker) -> Taker {
    send(broker, "mailer", 0..7).await;
    let taker = Taker::of(broker, "mailer", 7).await;
    for (delivered, reason) in taker.next(7).await.iter().zip(REASONS) {
        let dead = Settlement::new(delivered.token, Outcome::Dead { reason });
        taker.settle(dead.failed(failure("broken"))).await.unwrap();
    }
    taker
}

fn letter(letter: &DeadLetter) -> String {
    let DeadLetter { entry, reason, .. } = letter;
    let history: Vec<_> =
        entry.history.iter().map(|f| format!("{} {}.{} {}", f.at_ms, f.agent, f.handler, f.error)).collect();
    format!("{:?} {reason} attempt {} {history:?}", entry.body, entry.attempt)
}

async fn peek(broker: &Broker, which: Letters) -> String {
    let letters: Vec<_> = broker.peek("mailer", which).await.unwrap().iter().map(letter).collect();
    format!("{} letters\n{}", letters.len(), letters.join("\n"))
}

async fn letters_are_counted_by_their_reason(stage: &Stage) -> Told {
    let broker = stage.broker();
    fill(&broker).await;
    vec![format!("{:?}", broker.inspect("mailer").await.unwrap())]
}

async fn letters_are_peeked_by_their_reason(stage: &Stage) -> Told {
    let broker = stage.broker();
    let taker = fill(&broker).await;
    let mut told = vec![peek(&broker, Letters::all()).await];
    told.push(peek(&broker, Letters::all().oldest(2)).await);
    told.push(peek(&broker, Letters::all().oldest(0)).await);
    for reason in REASONS {
        told.push(peek(&broker, Letters::of(reason)).await);
    }
    told.push(peek(&broker, Letters::of(DeadReason::Exhausted).oldest(1)).await);
    told.push(counts(&broker, "mailer").await);
    told.push(format!("{} {}", taker.held() == 0, happened(&broker)));
    told
}

async fn letters_are_replayed_by_their_reason_with_their_history(stage: &Stage) -> Told {
    let broker = stage.broker();
    let taker = fill(&broker).await;
    let before = broker.peek("mailer", Letters::of(DeadReason::Exhausted)).await.unwrap();
    let mut told = Told::new();
    told.push(broker.replay("mailer", Letters::of(DeadReason::Exhausted).oldest(1)).await.unwrap().to_string());
    let one = taker.one().await;
    told.push(format!(
        "{} {} {}",
        say(&one),
        one.first_seen_ms == before[0].entry.first_seen_ms,
        *one.id == before[0].entry.id
    ));
    told.push(counts(&broker, "mailer").await);
    // It dies again, and is the youngest now.
    let dead = Settlement::new(one.token, Outcome::Dead { reason: DeadReason::Exhausted });
    taker.settle(dead.failed(failure("again"))).await.unwrap();
    told.push(peek(&broker, Letters::of(DeadReason::Exhausted)).await);
    told.push(broker.replay("mailer", Letters::all()).await.unwrap().to_string());
    told.extend(taker.next(7).await.iter().map(say));
    told.push(broker.replay("mailer", Letters::all()).await.unwrap().to_string());
    told.push(counts(&broker, "mailer").await);
    told
}

async fn letters_are_purged_by_their_reason(stage: &Stage) -> Told {
    let broker = stage.broker();
    fill(&broker).await;
    let mut told = Told::new();
    for which in [
        Letters::of(DeadReason::Undecodable),
        Letters::of(DeadReason::Undecodable),
        Letters::of(DeadReason::Exhausted).oldest(1),
        Letters::all().oldest(2),
    ] {
        told.push(broker.purge("mailer", which).await.unwrap().to_string());
        told.push(peek(&broker, Letters::all()).await);
    }
    told.push(broker.purge("mailer", Letters::all()).await.unwrap().to_string());
    told.push(counts(&broker, "mailer").await);
    told
}
