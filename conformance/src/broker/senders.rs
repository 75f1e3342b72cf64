//! Senders whose network fails.

use std::time::Duration;

use formicary_actors::broker::Broker;
use formicary_actors::contract::ConnectionState;
use tokio::time::Instant;

use super::fate::{Fate, Fates, held_against, try_send};
use super::fault::Fault;
use super::stage::{Stage, env, slack, up};
use super::taker::{SOON, Taker, number};
use crate::left_out::Verdict;
use crate::proxy::{Mode, Proxy};
use crate::wait::until;

const DEADLINE: Duration = Duration::from_millis(500);

pub(crate) async fn a_sender_outlives_a_server_that_is_down(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Down).await
}

pub(crate) async fn a_sender_outlives_a_network_that_loses_what_it_says(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Unheard).await
}

pub(crate) async fn a_sender_outlives_a_network_that_loses_its_answers(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Deaf).await
}

pub(crate) async fn a_sender_outlives_a_network_that_loses_everything(stage: &mut Stage) -> Verdict {
    outlives(stage, Fault::Cut).await
}

fn sender(stage: &Stage, proxy: &Proxy) -> Broker {
    let mut env = env();
    env.limits.send_deadline = DEADLINE;
    stage.behind_in(proxy, env)
}

/// A send that cannot go out fails within its own deadline, as often as one tries; the fault is noticed and told; the
/// next send after its end goes out. What was told of each is true.
async fn outlives(stage: &mut Stage, fault: Fault) -> Verdict {
    let proxy = stage.proxy().await?;
    let broker = sender(stage, &proxy);
    up(&broker, SOON).await;
    let mut fates = Fates::from([(0, try_send(&broker, 0).await)]);
    let begun = Instant::now();
    fault.begin(&proxy).await;
    let noticing = until(stage.promises.notices_within + slack(), "the fault to be noticed", async || {
        matches!(broker.connection(), ConnectionState::Down { .. })
    });
    let sending = async {
        for n in 1..=4 {
            let begun = Instant::now();
            fates.insert(n, try_send(&broker, n).await);
            let took = begun.elapsed();
            assert!(fates[&n] != Fate::Sent && took < DEADLINE + slack(), "{:?} after {took:?}", fates[&n]);
        }
    };
    let noticed = async {
        noticing.await;
        begun.elapsed()
    };
    let (noticed, ()) = tokio::join!(noticed, sending);
    // Also when it is known to be away.
    fates.insert(5, try_send(&broker, 5).await);
    assert_eq!(fates[&5], Fate::NotSent);
    fault.end(&proxy).await;
    let ended = Instant::now();
    up(&broker, stage.promises.back_within).await;
    stage.report(format_args!("noticed after {noticed:?}, back after {:?}", ended.elapsed()));
    fates.insert(6, try_send(&broker, 6).await);
    assert_eq!((fates[&0], fates[&6]), (Fate::Sent, Fate::Sent));
    let look = stage.broker();
    let taker = Taker::of(&look, "mailer", 16).await;
    let least = fates.values().filter(|fate| **fate == Fate::Sent).count();
    let mut there: Vec<_> = taker.next(least).await;
    // What is unknown may have come too, and then it came before the last one was sent.
    until(SOON, "all that waits", async || {
        there.extend(taker.all());
        look.inspect("mailer").await.unwrap().waiting == 0 && there.iter().any(|one| number(one) == 6)
    })
    .await;
    held_against(&fates, &there.iter().map(number).collect());
    Ok(())
}

/// A slow network is no fault within the deadline; beyond it a send fails in time.
pub(crate) async fn a_sender_waits_for_a_slow_network_within_its_deadline(stage: &mut Stage) -> Verdict {
    let proxy = stage.proxy().await?;
    // On a busy machine an answer takes longer than the network: only one that fails may be hasty.
    let (patient, broker) = (stage.behind(&proxy), sender(stage, &proxy));
    up(&patient, SOON).await;
    // The first one may have more to ask.
    let mut fates = Fates::from([(0, try_send(&patient, 0).await)]);
    proxy.set(Mode::Delay(DEADLINE / 10));
    let begun = Instant::now();
    fates.insert(1, try_send(&patient, 1).await);
    assert!(begun.elapsed() >= DEADLINE / 5, "it did not wait for an answer");
    assert_eq!((fates[&0], fates[&1]), (Fate::Sent, Fate::Sent));
    up(&broker, SOON).await;
    proxy.set(Mode::Delay(DEADLINE * 2));
    let begun = Instant::now();
    fates.insert(2, try_send(&broker, 2).await);
    assert!(fates[&2] != Fate::Sent && begun.elapsed() < DEADLINE + slack(), "{:?}", fates[&2]);
    proxy.set(Mode::Pass);
    until(SOON, "it to be well again", async || {
        let n = fates.len() as u64;
        fates.insert(n, try_send(&broker, n).await);
        fates[&n] == Fate::Sent
    })
    .await;
    Ok(())
}

/// Who finds nobody at first tries on for ever.
pub(crate) async fn what_is_refused_at_first_is_reached_later(stage: &mut Stage) -> Verdict {
    let proxy = stage.proxy().await?;
    proxy.refuse().await;
    let broker = sender(stage, &proxy);
    until(SOON, "a word of it", async || matches!(broker.connection(), ConnectionState::Down { .. })).await;
    assert_eq!(try_send(&broker, 0).await, Fate::NotSent);
    // Long enough for the longest wait between two attempts.
    let begun = Instant::now();
    until(SOON, "some attempts", async || begun.elapsed() > Duration::from_secs(2)).await;
    proxy.accept().await;
    up(&broker, stage.promises.back_within).await;
    assert_eq!(try_send(&broker, 1).await, Fate::Sent);
    Ok(())
}

/// A send that finds no connection waits for it within its deadline, and then goes out.
pub(crate) async fn a_send_waits_for_its_connection_within_its_deadline(stage: &mut Stage) -> Verdict {
    let proxy = stage.proxy().await?;
    let broker = stage.behind(&proxy);
    up(&broker, SOON).await;
    Fault::Down.begin(&proxy).await;
    until(SOON, "the fault", async || matches!(broker.connection(), ConnectionState::Down { .. })).await;
    let sending = actix_rt::spawn({
        let broker = broker.clone();
        async move { try_send(&broker, 7).await }
    });
    Fault::Down.end(&proxy).await;
    assert_eq!(sending.await.unwrap(), Fate::Sent);
    Ok(())
}
