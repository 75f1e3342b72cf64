//! Consumers whose network is slow, or lets them in late.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use formicary_actors::contract::{Outcome, Settlement};
use formicary_actors::events::EventKind;
use serde_json::json;
use tokio::time::Instant;

use super::consumers::down;
use super::stage::{Stage, up};
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::proxy::Mode;
use crate::wait::until;

/// A network that takes its time is no outage: what is sent comes, each once, and its settlements are applied.
pub(crate) async fn a_slow_network_is_no_outage_for_a_consumer(stage: &mut Stage) -> Verdict {
    const DELAY: Duration = Duration::from_millis(100);
    const AT_ONCE: u32 = 16;
    let proxy = stage.proxy().await?;
    let (broker, other) = (stage.behind(&proxy), stage.broker());
    let taker = Taker::of(&broker, "mailer", AT_ONCE as usize).await;
    proxy.set(Mode::Delay(DELAY));
    let (begun, mut rounds) = (Instant::now(), 0);
    // So long that a connection which it took for dead would have been given up.
    while begun.elapsed() < stage.promises.notices_within * 2 {
        let sent = rounds * AT_ONCE..(rounds + 1) * AT_ONCE;
        let begun = Instant::now();
        send(&other, "mailer", sent.clone()).await;
        let got = taker.next(AT_ONCE as usize).await;
        assert!(begun.elapsed() >= DELAY, "no network is between");
        assert_eq!(got.iter().map(number).collect::<BTreeSet<_>>(), sent.map(u64::from).collect(), "each, and once");
        let acks: Vec<_> = got.iter().map(|one| Settlement::new(one.token, Outcome::Ack)).collect();
        taker.settle(acks).await.unwrap();
        rounds += 1;
    }
    until(SOON, "an empty queue", async || other.inspect("mailer").await.unwrap().left() == 0).await;
    let events = &broker.env().events;
    let (lost, late) = (events.count(EventKind::Disconnected), events.count(EventKind::LateSettlement));
    assert_eq!((lost, late, taker.held()), (0, 0, 0), "outages, late settlements, what came twice");
    stage.report(format_args!("{} messages in {:?}, none came twice", rounds * AT_ONCE, begun.elapsed()));
    Ok(())
}

/// So is a network on which each message arrives in many pieces.
pub(crate) async fn a_trickle_is_no_outage_for_a_consumer(stage: &mut Stage) -> Verdict {
    const SIZE: usize = 2_000;
    const PIECE: NonZeroUsize = NonZeroUsize::new(400).unwrap();
    let proxy = stage.proxy().await?;
    let (broker, other) = (stage.behind(&proxy), stage.broker());
    let taker = Taker::of(&broker, "mailer", 1).await;
    proxy.set_to_client(Mode::Trickle(PIECE));
    let body = json!("x".repeat(SIZE));
    let (begun, mut came) = (Instant::now(), 0);
    while begun.elapsed() < stage.promises.notices_within * 2 {
        let sent = Instant::now();
        other.dynamic("mailer", &body).await.unwrap();
        let one = taker.one().await;
        assert!(sent.elapsed() >= Duration::from_millis(30), "it came in one piece");
        taker.ack(&one).await;
        came += 1;
    }
    until(SOON, "an empty queue", async || other.inspect("mailer").await.unwrap().left() == 0).await;
    let events = &broker.env().events;
    let (lost, late) = (events.count(EventKind::Disconnected), events.count(EventKind::LateSettlement));
    assert_eq!((lost, late, taker.held()), (0, 0, 0), "outages, late settlements, what came twice");
    stage.report(format_args!("{came} messages in {:?}, none came twice", begun.elapsed()));
    Ok(())
}

/// A consumer that finds nobody at first tries on for ever, and consumes when it is let in.
pub(crate) async fn a_consumer_refused_at_first_is_there_when_it_is_let_in(stage: &mut Stage) -> Verdict {
    let proxy = stage.proxy().await?;
    proxy.refuse().await;
    let (broker, other) = (stage.behind(&proxy), stage.broker());
    send(&other, "mailer", 0..3).await;
    let let_in = async || {
        down(&broker, SOON).await;
        proxy.accept().await;
        let let_in = Instant::now();
        up(&broker, stage.promises.back_within).await;
        stage.report(format_args!("connected {:?} after it was let in", let_in.elapsed()));
    };
    let taker = Taker::asked_for_before(&broker, let_in).await;
    let got = taker.next(3).await;
    assert_eq!(got.iter().map(number).collect::<BTreeSet<_>>(), (0..3).collect());
    for one in &got {
        taker.ack(one).await;
    }
    assert_eq!(other.inspect("mailer").await.unwrap().left(), 0);
    Ok(())
}
