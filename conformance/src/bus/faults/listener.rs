//! A listener whose connection is lost: it never raises, and restores its subscriptions for ever.

use std::time::Duration;

use formicary_actors::Error;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::bus::cast::{Note, Notes};
use crate::bus::faults::slow::{self, AT_ONCE, Trip};
use crate::bus::inbox::Inbox;
use crate::bus::stage::{HASTE, SOON, Stage, Way, back, down, publish, slack};
use crate::left_out::Verdict;

/// Loss after loss, every subscription is live again when the bus says that it is up.
pub(crate) async fn its_subscriptions_are_restored_after_each_loss(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let (notes, more, others) =
        (Inbox::of::<Note>(&bus).await, Inbox::of::<Note>(&bus).await, Inbox::of::<Notes>(&bus).await);
    for round in 1..=5 {
        line.proxy.drop_all().await;
        back(&bus, round).await;
        publish(&other, round).await;
        other.publish("me", &Notes { n: round }).await.unwrap();
        for inbox in [&notes, &more, &others] {
            inbox.until(round as usize).await;
            assert_eq!(inbox.numbers(), (1..=round).collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// A subscription that was ended stays ended when the connection comes back.
pub(crate) async fn what_was_unsubscribed_is_not_restored(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let ((ended, id), kept) = (Inbox::with_id::<Note>(&bus).await, Inbox::of::<Notes>(&bus).await);
    line.cut().await;
    down(&bus, SOON).await;
    timeout(SOON, bus.unsubscribe(id)).await.unwrap();
    line.mend().await;
    back(&bus, 1).await;
    publish(&other, 1).await;
    other.publish("me", &Notes { n: 2 }).await.unwrap();
    kept.until(1).await;
    assert_eq!(ended.len(), 0);
    Ok(())
}

/// Who subscribes while the connection is away waits for it, and hears from when the call returns.
pub(crate) async fn who_subscribes_while_it_is_down_waits_for_it(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let _first = Inbox::of::<Notes>(&bus).await;
    line.cut().await;
    down(&bus, SOON).await;
    let subscribing = actix_rt::spawn({
        let bus = bus.clone();
        async move { Inbox::of::<Note>(&bus).await }
    });
    line.mend().await;
    let inbox = timeout(SOON, subscribing).await.unwrap().unwrap();
    publish(&other, 1).await;
    inbox.until(1).await;
    Ok(())
}

/// Beyond its deadline it is told that the bus cannot be reached; the same bus subscribes when the connection is back, and
/// what was refused is heard by nobody.
pub(crate) async fn who_subscribes_while_it_is_down_is_told_in_time(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let other = stage.bus();
    line.cut().await;
    let bus = line.hasty_bus();
    let refused = std::sync::Arc::new(Inbox::default());
    for _ in 0..2 {
        let begun = Instant::now();
        let error = bus.subscribe("note", refused.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { what: "bus", .. }), "{error}");
        assert!(
            (HASTE - Duration::from_millis(10)..HASTE + slack()).contains(&begun.elapsed()),
            "{:?}",
            begun.elapsed()
        );
    }
    line.mend().await;
    line.regained_by(&bus).await;
    let inbox = Inbox::of::<Note>(&bus).await;
    publish(&other, 1).await;
    inbox.until(1).await;
    assert_eq!(refused.len(), 0);
    Ok(())
}

/// A server that does not hear us is found, and the subscriptions are live again when it does.
pub(crate) async fn a_listener_finds_a_server_that_does_not_hear(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToServer).await
}

/// A server that we do not hear is found, and the subscriptions are live again when we do.
pub(crate) async fn a_listener_finds_a_server_that_is_not_heard(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToClient).await
}

/// A network that takes its time delays what is heard, and loses nothing of it.
pub(crate) async fn a_slow_network_is_no_outage_for_a_listener(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&bus).await;
    let round = async |round: u64| {
        join_all((0..AT_ONCE).map(|n| publish(&other, n))).await;
        inbox.until(((round + 1) * AT_ONCE) as usize).await;
    };
    slow::is_no_outage(&line, &bus, Trip::OneWay, round).await;
    Ok(())
}

async fn swallowed(stage: &mut Stage, way: Way) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&bus).await;
    line.swallow(way);
    line.found_by(&bus).await;
    line.mend().await;
    back(&bus, 1).await;
    publish(&other, 1).await;
    inbox.until_number(1).await;
    Ok(())
}
