//! Servers that refuse.

use std::time::Duration;

use formicary_actors::Error;
use serde_json::json;
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use super::stage::{Stage, env};
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::lines::Lines;
use crate::place::Trouble;
use crate::wait::until;

/// A full server refuses what is sent, and can be emptied; then it takes more.
pub(crate) async fn a_full_server_refuses_and_can_be_emptied(stage: &mut Stage) -> Verdict {
    let mut short = env();
    short.limits.send_deadline = Duration::from_secs(1);
    let broker = stage.broker_in(short);
    send(&broker, "mailer", 0..1).await;
    stage.upset(Trouble::Full).await?;
    let body = json!("x".repeat(256 << 10));
    let mut sent = 0;
    let refused = loop {
        match broker.dynamic("mailer", &body).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1_000, "it is never full");
    };
    // One that stops to read cannot say what it has.
    assert!(matches!(refused, Error::Send(_)), "{refused}");
    let taker = Taker::of(&broker, "mailer", 64).await;
    let emptied = async || {
        for one in taker.all() {
            taker.ack(&one).await;
        }
        broker.inspect("mailer").await.unwrap().left() == 0
    };
    until(SOON * 2, "an empty queue", emptied).await;
    stage.place.mend(Trouble::Full).await;
    until(SOON, "room again", async || broker.dynamic("mailer", &body).await.is_ok()).await;
    assert_eq!(taker.one().await.body.len(), (256 << 10) + 2);
    Ok(())
}

pub(crate) async fn a_queue_of_another_kind_heals_when_it_is_mended(stage: &mut Stage) -> Verdict {
    heals(stage, Trouble::WrongKind).await
}

pub(crate) async fn denied_access_heals_when_it_is_allowed(stage: &mut Stage) -> Verdict {
    heals(stage, Trouble::Denied).await
}

/// A server that refuses again and again is asked with pauses, and told of in few lines; sends fail with its reason. When it
/// is mended everything goes on, the same consumer included.
async fn heals(stage: &mut Stage, trouble: Trouble) -> Verdict {
    let broker = stage.broker();
    let taker = Taker::of(&broker, "mailer", 4).await;
    send(&broker, "mailer", 0..1).await;
    taker.ack(&taker.one().await).await;
    let lines = Lines::gather(LevelFilter::INFO);
    stage.upset(trouble).await?;
    let begun = Instant::now();
    let error = broker.dynamic("mailer", &json!(1)).await.unwrap_err();
    assert!(matches!(error, Error::Send(_)), "{error}");
    let lasting = Duration::from_secs(3);
    until(SOON, "the trouble to last", async || begun.elapsed() > lasting).await;
    assert!(lines.count() <= 8, "{}", lines.text());
    assert!(stage.place.mend(trouble).await, "what it upsets its place has to mend");
    until(SOON, "it to heal", async || broker.dynamic("mailer", &json!(2)).await.is_ok()).await;
    let mut got = number(&taker.one().await);
    // The first one may have been taken after all.
    while got != 2 {
        got = number(&taker.one().await);
    }
    Ok(())
}
