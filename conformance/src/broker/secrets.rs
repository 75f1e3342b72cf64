//! Secrets stay secret.

use std::time::Duration;

use formicary_actors::contract::{ConnectionState, Letters};
use formicary_actors::group::Group;
use serde_json::json;
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use super::fault::Fault;
use super::stage::{Stage, env};
use super::taker::{SOON, Taker, send};
use crate::left_out::{LeftOut, Verdict};
use crate::lines::Lines;
use crate::wait::until;

/// The secret of the place is in no address, description, error, `Debug` and log line.
pub(crate) async fn no_secret_is_shown(stage: &mut Stage) -> Verdict {
    let secret = stage.place.secret().ok_or_else(|| LeftOut("its place has no secret".into()))?;
    let lines = Lines::gather(LevelFilter::TRACE);
    let proxy = stage.proxy().await?;
    let config = stage.reaching(proxy.address())?;
    let mut short = env();
    short.limits.send_deadline = Duration::from_millis(300);
    let broker = stage.behind_in(&proxy, short);
    let mut shown = vec![format!("{config:?} {broker:?}")];
    send_and_take(&broker).await;
    let description = broker.describe().await.unwrap();
    shown.push(format!("{description:?} {}", json!(description)));
    Fault::Down.begin(&proxy).await;
    until(SOON, "the fault", async || matches!(broker.connection(), ConnectionState::Down { .. })).await;
    shown.push(format!("{:?}", broker.connection()));
    shown.push(format!("{:?}", broker.dynamic("mailer", &json!(1)).await));
    shown.push(format!("{:?}", broker.inspect("mailer").await));
    shown.push(format!("{:?}", broker.peek("mailer", Letters::all()).await));
    let started = Group::builder().declarations(super::cast::declarations()).broker(config).start().await;
    let error = started.expect_err("it started without its server");
    shown.push(format!("{error} {error:?}"));
    broker.close(Instant::now() + Duration::from_secs(1)).await;
    shown.push(format!("{:?}", broker.dynamic("mailer", &json!(1)).await));
    let logged = lines.text();
    assert!(logged.contains("TRACE"), "the log was not gathered: {logged}");
    shown.push(logged);
    for text in shown {
        assert!(!text.contains(&secret), "{}", text.replace(&secret, "<the secret>"));
    }
    Ok(())
}

async fn send_and_take(broker: &formicary_actors::broker::Broker) {
    until(SOON, "the connection", async || broker.connection() == ConnectionState::Up).await;
    send(broker, "mailer", 0..1).await;
    let taker = Taker::of(broker, "mailer", 1).await;
    taker.ack(&taker.one().await).await;
}
