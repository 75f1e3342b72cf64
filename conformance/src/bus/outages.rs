//! A server that ends and is started again, and one that refuses until somebody mends it.

use std::time::Duration;

use formicary_actors::events::EventKind;
use formicary_actors::{Error, SendError};
use tokio::time::{Instant, sleep_until};
use tracing_subscriber::filter::LevelFilter;

use super::calls::ask;
use super::cast::{Doubles, Note, Notes};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, publish, up};
use crate::Trouble;
use crate::left_out::{LeftOut, Verdict};
use crate::lines::Lines;
use crate::wait;

/// When the server is back, all that stood on it stands again: subscriptions, calls, and what was published while it was
/// away. The loss and the return are one event and one line each.
pub(crate) async fn a_server_that_is_started_again_finds_all_as_it_was(stage: &mut Stage) -> Verdict {
    let lines = Lines::gather(LevelFilter::INFO);
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let (here, there) = (stage.bus(), stage.bus());
    let (notes, others) = (Inbox::of::<Note>(&there).await, Inbox::of::<Notes>(&there).await);
    publish(&here, 0).await;
    assert_eq!(ask(&here, 1).await.unwrap(), 2);
    for bus in [&here, &there, answers.bus()] {
        bus.describe().await.unwrap();
    }
    if !stage.place.stop().await {
        return Err(LeftOut("its place has no `stop`".into()));
    }
    let all = [here.clone(), there.clone(), answers.bus().clone()];
    let count = |kind| all.iter().filter(|bus| bus.env().events.count(kind) == 1).count();
    wait::until(SOON, "the loss of all", async || count(EventKind::Disconnected) == 3).await;
    // An outage that lasts a while, with publishers who wait for its end.
    let begun = Instant::now();
    let call = stage.call(&here, 21);
    sleep_until(begun + Duration::from_secs(1)).await;
    assert!(stage.place.restart().await, "it was stopped and cannot be started");
    wait::until(SOON, "the return of all", async || count(EventKind::Reconnected) == 3).await;
    for bus in &all {
        up(bus).await;
    }
    publish(&here, 1).await;
    here.publish("me", &Notes { n: 2 }).await.unwrap();
    notes.until_number(1).await;
    others.until_number(2).await;
    drop(call);
    assert_eq!(ask(&here, 5).await.unwrap(), 10);
    assert_eq!((count(EventKind::Disconnected), count(EventKind::Reconnected)), (3, 3));
    for parts in [&["bus: ", "no connection to"][..], &["bus: ", "connected to", "again"]] {
        let said = lines.with(parts);
        assert_eq!(said.len(), 3, "one line for each bus: {said:#?}");
    }
    answers.stop().await;
    Ok(())
}

/// A server that denies what the bus asks: publishes fail loudly in the server's words, attempts are braked, the log has one
/// line, and all is well by itself when it is mended.
pub(crate) async fn a_server_that_denies_is_asked_less_and_less_and_heals(stage: &mut Stage) -> Verdict {
    const DENIED: Duration = Duration::from_secs(4);
    let lines = Lines::gather(LevelFilter::INFO);
    let mut env = stage.env();
    env.limits.send_deadline = Duration::from_secs(1);
    let (bus, other) = (stage.bus_with(env), stage.bus());
    let inbox = Inbox::of::<Note>(&bus).await;
    publish(&other, 0).await;
    inbox.until(1).await;
    drop(other);
    let begun = Instant::now();
    if !stage.place.upset(Trouble::Denied).await {
        return Err(LeftOut("its place cannot make the server deny".into()));
    }
    let before = stage.place.attempts().await;
    let error = wait::until(SOON, "a publish that fails", async || bus.publish("me", &Note { n: 1 }).await.err()).await;
    assert!(matches!(error, Error::Send(SendError::NotSent { .. } | SendError::Unknown { .. })), "{error}");
    // The time in which it must not spin.
    sleep_until(begun + DENIED).await;
    if let (Some(before), Some(after)) = (before, stage.place.attempts().await) {
        println!("measured: {} attempts in {DENIED:?}", after - before);
        assert!(after - before <= 20, "{} attempts in {DENIED:?}", after - before);
    }
    let warnings = lines.with(&["WARN"]);
    assert!((1..=2).contains(&warnings.len()), "{warnings:#?}");
    assert!(stage.place.mend(Trouble::Denied).await, "it was upset and cannot be mended");
    up(&bus).await;
    wait::until(SOON, "a publish", async || bus.publish("me", &Note { n: 2 }).await).await;
    inbox.until_number(2).await;
    Ok(())
}
