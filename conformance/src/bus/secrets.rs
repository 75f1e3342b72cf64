//! Passwords stay secret.

use formicary_actors::contract::ConnectionState;
use formicary_actors::events::EventKind;
use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use super::calls::ask;
use super::cast::{Doubles, Note};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, publish, up};
use crate::left_out::{LeftOut, Verdict};
use crate::lines::Lines;
use crate::wait;

fn is_silent(secret: &str, what: &str, text: &str) {
    if let Some(line) = text.lines().find(|line| line.contains(secret)) {
        panic!("a secret in {what}: {line}");
    }
}

/// The secret of a place stands in no log line of any level, of ours or of a dependency, in no error, no event, no
/// description, no `info()` and no `Debug` output, from its start over an outage to its end.
pub(crate) async fn no_secret_is_shown_anywhere(stage: &mut Stage) -> Verdict {
    let secret = stage.place.secret().ok_or_else(|| LeftOut("its place has no `secret`".into()))?;
    let lines = Lines::gather(LevelFilter::TRACE);
    let silent = |what: &str, text: &str| is_silent(&secret, what, text);
    silent("a configuration", &format!("{:?} {:#?}", stage.place.bus(), stage.group()));
    let group = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let bus = group.bus().clone();
    let inbox = Inbox::of::<Note>(&bus).await;
    publish(&bus, 1).await;
    inbox.until(1).await;
    assert_eq!(ask(&bus, 1).await.unwrap(), 2);
    let description = bus.describe().await.unwrap();
    silent("a description", &format!("{description:?} {}", serde_json::to_string(&description).unwrap()));
    let info = group.info().await;
    silent("info()", &format!("{info} {info:?} {}", serde_json::to_string(&info).unwrap()));
    silent("a handle", &format!("{group:?} {bus:?} {:?}", group.env()));
    let mut listener = group.events().listen();
    if stage.place.stop().await {
        let lost = async || group.events().count(EventKind::Disconnected) > 0;
        wait::until(SOON, "the loss of the connection", lost).await;
        silent("a state", &format!("{:?}", bus.connection()));
        let mut hasty = stage.env();
        hasty.limits.send_deadline = std::time::Duration::from_millis(300);
        let hasty = stage.bus_with(hasty);
        let error = hasty.publish("me", &Note { n: 2 }).await.unwrap_err();
        silent("an error", &format!("{error} {error:?}"));
        let error = hasty.subscribe("note", inbox.clone()).await.unwrap_err();
        silent("an error", &format!("{error} {error:?}"));
        assert!(stage.place.restart().await, "it was stopped and cannot be started");
        up(&bus).await;
        publish(&bus, 3).await;
    }
    let events: Vec<_> = std::iter::from_fn(|| listener.try_next()).collect();
    silent("an event", &format!("{events:?}"));
    group.stop().await;
    let text = lines.text();
    assert!(text.contains("TRACE"), "no lines are gathered");
    println!("measured: {} lines", text.lines().count());
    silent("a log line", &text);
    Ok(())
}

/// A wrong secret ends the start of a group within ten seconds with a text that shows neither it nor the right one; a bus
/// without a group says that it will not help to try again.
pub(crate) async fn a_wrong_secret_is_refused_and_not_shown(stage: &mut Stage) -> Verdict {
    const WRONG: &str = "sunfish-33ab";
    let stranger = stage.place.bus_of_a_stranger(WRONG);
    let stranger = stranger.ok_or_else(|| LeftOut("its place has no `bus_of_a_stranger`".into()))?;
    let lines = Lines::gather(LevelFilter::TRACE);
    let begun = Instant::now();
    let error = stage.group().bus(stranger.clone()).start().await.unwrap_err();
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    println!("measured: refused after {:?}: {error}", begun.elapsed());
    assert!(matches!(error, formicary_actors::Error::Unreachable { what: "bus", .. }), "{error}");
    let bus = stranger.start(stage.env()).unwrap();
    let state = wait::until(SOON, "the refusal", async || match bus.connection() {
        state @ ConnectionState::Down { .. } => Some(state),
        _ => None,
    })
    .await;
    assert!(matches!(state, ConnectionState::Down { lasting: true, .. }), "{state:?}");
    let description = bus.describe().await.unwrap();
    for secret in std::iter::once(WRONG.to_owned()).chain(stage.place.secret()) {
        is_silent(&secret, "an error", &format!("{error} {error:?} {state:?} {description:?}"));
        is_silent(&secret, "a log line", &lines.text());
    }
    Ok(())
}
