//! Servers that refuse.

use std::time::Duration;

use formicary_actors::broker::Broker;
use formicary_actors::{Env, Error};
use serde_json::json;
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use super::stage::{Stage, env};
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::lines::Lines;
use crate::place::Trouble;
use crate::proxy::Proxy;
use crate::wait::until;

const SECOND: Duration = Duration::from_secs(1);
/// How much oftener an adapter may ask in the first second of trouble: five times, with waits of 50 ms and more between
/// them, and ten pieces each time.
const AT_FIRST: u64 = 50;
/// When its waits have grown to a second: twice.
const LATER: u64 = 20;
/// How often who sends is refused beside that.
const AGAIN: usize = 3;

/// A full server refuses what is sent, and can be emptied; then it takes more. However often it refuses, the log is not
/// filled, and nobody but who sends asks it.
pub(crate) async fn a_full_server_refuses_and_can_be_emptied(stage: &mut Stage) -> Verdict {
    let mut short = env();
    short.limits.send_deadline = SECOND;
    let watched = Watched::at(stage, short).await;
    let broker = &watched.broker;
    send(broker, "mailer", 0..1).await;
    let idle = watched.asks().await;
    let lines = Lines::gather(LevelFilter::INFO);
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
    for _ in 0..AGAIN {
        broker.dynamic("mailer", &body).await.unwrap_err();
    }
    let full = watched.asks().await;
    stage.report(format_args!("asked {idle} times in a second, {full} while it was full"));
    assert!(full <= idle + LATER, "asked {full} times in a second");
    let told = lines.with(&["WARN"]);
    assert!(told.len() <= 1, "{told:#?}");
    let taker = Taker::of(broker, "mailer", 64).await;
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

/// A server that refuses again and again is asked with pauses that grow to a second, and told of once; sends fail with its
/// reason. When it is mended everything goes on, the same consumer included.
async fn heals(stage: &mut Stage, trouble: Trouble) -> Verdict {
    let watched = Watched::at(stage, env()).await;
    let broker = &watched.broker;
    let taker = Taker::of(broker, "mailer", 4).await;
    send(broker, "mailer", 0..1).await;
    taker.ack(&taker.one().await).await;
    let idle = watched.asks().await;
    let lines = Lines::gather(LevelFilter::INFO);
    stage.upset(trouble).await?;
    let error = broker.dynamic("mailer", &json!(1)).await.unwrap_err();
    assert!(matches!(error, Error::Send(_)), "{error}");
    let first = watched.asks().await;
    let told = lines.with(&["WARN"]);
    watched.asks().await;
    let later = watched.asks().await;
    stage.report(format_args!(
        "asked {idle} times in a second, {first} in the first one of trouble, {later} in the third"
    ));
    assert!(first <= idle + AT_FIRST && later <= idle + LATER, "asked {first} times, and then {later}, in a second");
    for _ in 0..AGAIN {
        broker.dynamic("mailer", &json!(1)).await.unwrap_err();
    }
    assert!((1..=2).contains(&told.len()), "the connection and the queue have a line each: {told:#?}");
    assert_eq!(lines.with(&["WARN"]), told, "what was told is told again");
    assert!(stage.place.mend(trouble).await, "what it upsets its place has to mend");
    until(SOON, "it to heal", async || broker.dynamic("mailer", &json!(2)).await.is_ok()).await;
    let mut got = number(&taker.one().await);
    // The first one may have been taken after all.
    while got != 2 {
        got = number(&taker.one().await);
    }
    Ok(())
}

/// An adapter of which it is known how often it asks its server, where a proxy can stand between.
struct Watched {
    broker: Broker,
    proxy: Option<Proxy>,
}

impl Watched {
    async fn at(stage: &Stage, env: Env) -> Self {
        match stage.proxy().await {
            Ok(proxy) => Self { broker: stage.behind_in(&proxy, env), proxy: Some(proxy) },
            Err(_) => Self { broker: stage.broker_in(env), proxy: None },
        }
    }

    /// How often it asks within a second.
    async fn asks(&self) -> u64 {
        let asked = || self.proxy.as_ref().map_or(0, Proxy::asked);
        let (begun, before) = (Instant::now(), asked());
        until(SECOND * 2, "the second to pass", async || begun.elapsed() >= SECOND).await;
        asked() - before
    }
}
