//! Consumers whose network fails.

use std::collections::BTreeSet;
use std::time::Duration;

use formicary_actors::broker::Broker;
use formicary_actors::contract::{ConnectionState, Outcome, Settlement};
use formicary_actors::events::EventKind;
use tokio::time::Instant;

use super::fault::Fault;
pub(crate) use super::networks::{
    a_consumer_refused_at_first_is_there_when_it_is_let_in, a_slow_network_is_no_outage_for_a_consumer,
    a_trickle_is_no_outage_for_a_consumer,
};
use super::stage::{Stage, slack, up};
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::proxy::Mode;
use crate::wait::until;

pub(crate) async fn a_consumer_outlives_a_server_that_is_down(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Down).await
}

pub(crate) async fn a_consumer_outlives_a_network_that_loses_what_it_says(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Unheard).await
}

pub(crate) async fn a_consumer_outlives_a_network_that_loses_its_messages(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Deaf).await
}

pub(crate) async fn a_consumer_outlives_a_network_that_loses_everything(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Cut).await
}

pub(super) async fn down(broker: &Broker, within: Duration) {
    let gone = async || matches!(broker.connection(), ConnectionState::Down { .. });
    until(within, "the fault to be noticed", gone).await;
}

/// The fault is noticed and told; after it the consumer goes on by itself, and nothing is lost: not what was in hand, not
/// what was settled meanwhile, not what was sent meanwhile. How many come twice is reported.
async fn outlives(stage: &mut Stage, fault: Fault) -> Verdict {
    let proxy = stage.proxy().await?;
    let (broker, other) = (stage.behind(&proxy), stage.broker());
    let taker = Taker::of(&broker, "mailer", 4).await;
    send(&other, "mailer", 0..8).await;
    let got = taker.next(4).await;
    let mut seen: Vec<_> = got.iter().map(number).collect();
    taker.ack(&got[0]).await;
    let begun = Instant::now();
    fault.begin(&proxy).await;
    taker.let_settle(Settlement::new(got[1].token, Outcome::Ack));
    send(&other, "mailer", 8..12).await;
    down(&broker, stage.promises.notices_within + slack()).await;
    let noticed = begun.elapsed();
    taker.let_settle(Settlement::new(got[2].token, Outcome::Ack));
    fault.end(&proxy).await;
    let ended = Instant::now();
    up(&broker, stage.promises.back_within).await;
    let back = ended.elapsed();
    taker.let_settle(Settlement::new(got[3].token, Outcome::Ack));
    let done = async || {
        for one in taker.all() {
            seen.push(number(&one));
            taker.let_settle(Settlement::new(one.token, Outcome::Ack));
        }
        let counts = other.inspect("mailer").await.unwrap();
        let all = seen.iter().collect::<BTreeSet<_>>().len() == 12 && counts.left() == 0;
        all.then_some(()).ok_or_else(|| format!("{seen:?} came, and there are {counts:?}"))
    };
    until(SOON, "all messages", done).await;
    let events = &broker.env().events;
    assert!(events.count(EventKind::Disconnected) >= 1 && events.count(EventKind::Reconnected) >= 1);
    assert_eq!(other.inspect("mailer").await.unwrap().dead, 0);
    let twice = seen.len() - 12;
    stage.report(format_args!("noticed after {noticed:?}, back after {back:?}, {twice} of 12 came twice"));
    Ok(())
}

/// A settlement that is made during an outage is applied once, after it.
pub(crate) async fn a_settlement_across_an_outage_is_applied_once(stage: &mut Stage) -> Verdict {
    stage.promises("to settle across outages", |promises| promises.settles_across_outages)?;
    let proxy = stage.proxy().await?;
    let (broker, other) = (stage.behind(&proxy), stage.broker());
    let taker = Taker::of(&broker, "mailer", 2).await;
    send(&other, "mailer", 0..3).await;
    let got = taker.next(2).await;
    Fault::Down.begin(&proxy).await;
    down(&broker, SOON).await;
    taker.let_settle(Settlement::new(got[0].token, Outcome::Ack));
    taker.let_settle(Settlement::new(got[1].token, Outcome::Retry { after: Duration::ZERO }));
    Fault::Down.end(&proxy).await;
    let mut after: Vec<_> = taker.next(2).await.iter().map(|one| (one.attempt, number(one))).collect();
    after.sort_unstable();
    assert_eq!(after, [(1, 2), (2, 1)]);
    let events = &broker.env().events;
    assert_eq!((events.count(EventKind::Consumed), events.count(EventKind::Retried)), (1, 1));
    assert_eq!(events.count(EventKind::LateSettlement), 0);
    Ok(())
}

/// So is one whose answer is lost.
pub(crate) async fn a_settlement_whose_answer_is_lost_is_applied_once(stage: &mut Stage) -> Verdict {
    stage.promises("to settle across outages", |promises| promises.settles_across_outages)?;
    stage.can("to count what every process has in flight", |can| can.full_counts).await?;
    let proxy = stage.proxy().await?;
    let (broker, other) = (stage.behind(&proxy), stage.broker());
    let taker = Taker::of(&broker, "mailer", 1).await;
    send(&other, "mailer", 0..2).await;
    taker.ack(&taker.one().await).await;
    let one = taker.one().await;
    proxy.set_to_client(Mode::Blackhole);
    taker.let_settle(Settlement::new(one.token, Outcome::Retry { after: SOON * 3 }));
    let applied = async || other.inspect("mailer").await.unwrap().in_flight == 0;
    until(SOON, "the server to apply it", applied).await;
    proxy.set_to_client(Mode::Pass);
    proxy.drop_all().await;
    let events = &broker.env().events;
    until(SOON, "the repetition", async || events.count(EventKind::Retried) == 1).await;
    let counts = other.inspect("mailer").await.unwrap();
    assert_eq!((counts.delayed, counts.left(), events.count(EventKind::LateSettlement)), (1, 1, 0), "once");
    Ok(())
}

/// What a process had in hand when it died comes to another consumer; should it be alive after all, its settlements are
/// late, and told so.
pub(crate) async fn what_a_dead_process_had_comes_to_another(stage: &mut Stage) -> Verdict {
    let proxy = stage.proxy().await?;
    let (dying, other) = (stage.behind(&proxy), stage.broker());
    let dead = Taker::of(&dying, "mailer", 3).await;
    send(&other, "mailer", 0..5).await;
    let had = dead.next(3).await;
    let begun = Instant::now();
    Fault::Down.begin(&proxy).await;
    let taker = Taker::of(&other, "mailer", 8).await;
    let got = taker.next_within(stage.promises.hands_on_within + slack(), 5).await;
    let twice = got.iter().filter(|one| had.iter().any(|had| number(had) == number(one))).count();
    stage.report(format_args!("handed on after {:?}, {twice} of 5 came twice", begun.elapsed()));
    assert_eq!(got.iter().map(number).collect::<BTreeSet<_>>(), (0..5).collect());
    for one in &got {
        taker.ack(one).await;
    }
    taker.cancel().await;
    Fault::Down.end(&proxy).await;
    up(&dying, stage.promises.back_within).await;
    for one in &had {
        dead.settle(Settlement::new(one.token, Outcome::Ack)).await.unwrap_err();
    }
    assert_eq!(dying.env().events.count(EventKind::LateSettlement), 3);
    // And it goes on.
    send(&other, "mailer", 9..10).await;
    assert_eq!(number(&dead.one().await), 9);
    Ok(())
}
