//! A publisher whose connection is lost: it fails loudly within its deadline, and recovers with the next publish.

use std::time::Duration;

use formicary_actors::bus::Bus;
use formicary_actors::events::EventKind;
use formicary_actors::{Error, SendError};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::bus::cast::Note;
use crate::bus::faults::slow::{self, AT_ONCE, Trip};
use crate::bus::inbox::Inbox;
use crate::bus::stage::{HASTE, SOON, Stage, Way, down, publish, slack, up};
use crate::left_out::Verdict;
use crate::wait;

/// Publishes in vain: it fails within its deadline, and says whether it may have gone out.
async fn fails_in_time(bus: &Bus, n: u64) -> SendError {
    let begun = Instant::now();
    let failed = bus.publish("me", &Note { n }).await;
    assert!(begun.elapsed() < HASTE + slack(), "{n} took {:?}: {failed:?}", begun.elapsed());
    match failed {
        Err(Error::Send(error)) => error,
        other => panic!("{n}: {other:?}"),
    }
}

/// What is published while the connection is away waits for it, and goes out in its order when it is back.
pub(crate) async fn what_is_published_while_it_is_down_goes_out_when_it_is_back(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&other).await;
    publish(&bus, 0).await;
    line.cut().await;
    down(&bus, SOON).await;
    let waiting = actix_rt::spawn({
        let bus = bus.clone();
        async move { join_all((1..=100).map(|n| publish(&bus, n))).await }
    });
    line.mend().await;
    timeout(SOON, waiting).await.unwrap().unwrap();
    inbox.until(101).await;
    let mut heard = inbox.numbers();
    if !stage.capabilities().await.ordered {
        heard.sort_unstable();
    }
    assert_eq!(heard, (0..=100).collect::<Vec<_>>());
    let count = |kind| bus.env().events.count(kind);
    assert_eq!((count(EventKind::Disconnected), count(EventKind::Reconnected)), (1, 1), "told once");
    Ok(())
}

/// While the connection is away every publish fails at its deadline and not before; none of them goes out later, and the
/// first one after the return does.
pub(crate) async fn reused_while_down_a_publisher_fails_each_time_and_recovers_with_the_next(
    stage: &mut Stage,
) -> Verdict {
    let line = stage.line().await?;
    let other = stage.bus();
    let (bus, inbox) = (line.hasty_bus(), Inbox::of::<Note>(&other).await);
    up(&bus).await;
    publish(&bus, 0).await;
    for round in 1..=2 {
        line.cut().await;
        down(&bus, SOON).await;
        for n in 1..=3 {
            let begun = Instant::now();
            let error = fails_in_time(&bus, 100 + n).await;
            assert!(matches!(error, SendError::NotSent { .. }), "{error}");
            assert!(begun.elapsed() >= HASTE - Duration::from_millis(10), "it did not wait: {error}");
        }
        line.mend().await;
        line.regained_by(&bus).await;
        publish(&bus, round).await;
        inbox.until_number(round).await;
    }
    assert_eq!(inbox.numbers(), [0, 1, 2]);
    Ok(())
}

/// A publish that its sender has given up while it waited does not go out.
pub(crate) async fn a_publish_given_up_while_it_waits_does_not_go_out(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&other).await;
    publish(&bus, 0).await;
    line.cut().await;
    down(&bus, SOON).await;
    let given_up = timeout(Duration::from_millis(100), bus.publish("me", &Note { n: 1 })).await;
    assert!(given_up.is_err());
    line.mend().await;
    publish(&bus, 2).await;
    inbox.until_number(2).await;
    assert_eq!(inbox.numbers(), [0, 2]);
    Ok(())
}

/// A bus that is refused from its beginning fails what is published in time, and is there when it is let in.
pub(crate) async fn a_publisher_refused_at_first_is_there_when_it_is_let_in(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let other = stage.bus();
    let inbox = Inbox::of::<Note>(&other).await;
    line.cut().await;
    let bus = line.hasty_bus();
    let error = fails_in_time(&bus, 1).await;
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    line.mend().await;
    line.regained_by(&bus).await;
    publish(&bus, 2).await;
    inbox.until(1).await;
    assert_eq!(inbox.numbers(), [2]);
    Ok(())
}

/// A server that does not hear us: publishes end in time, the loss is found, and none of them goes out later.
pub(crate) async fn a_publisher_finds_a_server_that_does_not_hear(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToServer).await
}

/// A server that we do not hear: publishes end in time and say that they may have gone out, and the loss is found.
pub(crate) async fn a_publisher_finds_a_server_that_is_not_heard(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToClient).await
}

async fn swallowed(stage: &mut Stage, way: Way) -> Verdict {
    let line = stage.line().await?;
    let other = stage.bus();
    let (bus, inbox) = (line.hasty_bus(), Inbox::of::<Note>(&other).await);
    up(&bus).await;
    publish(&bus, 0).await;
    line.swallow(way);
    let publishes = async {
        // The first ones meet a connection that looks well, the last one knows that there is none.
        let met = join_all((1..=10).map(|n| fails_in_time(&bus, n))).await;
        wait::until(SOON, "the loss", async || bus.env().events.count(EventKind::Disconnected) == 1).await;
        (1..).zip(met.into_iter().chain([fails_in_time(&bus, 11).await])).collect::<Vec<_>>()
    };
    let (failed, ()) = tokio::join!(publishes, line.found_by(&bus));
    line.mend().await;
    line.regained_by(&bus).await;
    publish(&bus, 12).await;
    inbox.until_number(12).await;
    let heard = inbox.numbers();
    for (n, error) in failed {
        let surely_not = matches!(error, SendError::NotSent { .. }) || way == Way::ToServer;
        assert!(!(surely_not && heard.contains(&n)), "{n} was heard, and its publisher was told: {error}");
    }
    Ok(())
}

/// An idle connection on which nothing comes back is found by its heartbeat alone.
pub(crate) async fn an_idle_connection_in_a_black_hole_is_found(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let bus = line.bus();
    up(&bus).await;
    line.swallow(Way::ToServer);
    line.swallow(Way::ToClient);
    line.found_by(&bus).await;
    line.mend().await;
    line.regained_by(&bus).await;
    publish(&bus, 1).await;
    Ok(())
}

/// A network that takes its time delays what is published, and fails nothing; round trips are shared.
pub(crate) async fn a_slow_network_is_no_outage(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let (bus, other) = (line.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&other).await;
    let round = async |round: u64| {
        join_all((0..AT_ONCE).map(|n| publish(&bus, n))).await;
        inbox.until(((round + 1) * AT_ONCE) as usize).await;
    };
    slow::is_no_outage(&line, &bus, Trip::BothWays, round).await;
    Ok(())
}
