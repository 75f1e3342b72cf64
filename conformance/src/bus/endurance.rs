//! What takes long: behind flags.

use std::collections::BTreeSet;
use std::time::Duration;

use formicary_actors::bus::Bus;
use formicary_actors::{CallError, Error, SendError};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::CASES;
use super::calls::ask;
use super::cast::{Doubles, Note};
use super::inbox::{Inbox, number};
use super::stage::{Stage, back, publish};
use crate::endurance::{Soak, ten_times_side_by_side};
use crate::left_out::{LeftOut, Verdict, report};

/// In a round.
const SIGNALS: u64 = 2_000;
const CALLS: u64 = 200;
const ROUND: Duration = Duration::from_secs(1);

/// With `FORMICARY_STRESS=1`: the whole suite of this adapter ten times side by side.
pub(crate) async fn the_suite_runs_ten_times_side_by_side(stage: &mut Stage) -> Verdict {
    ten_times_side_by_side(&stage.name, CASES)
}

/// With `FORMICARY_SOAK=10m` (or `30s`): publishes and calls for so long, while connections are reset every second where a proxy
/// can stand between. What a publisher was told went out is heard, and what was not sent is not; every call ends, and after each
/// return with an answer; subscriptions are restored; and memory is bounded.
pub(crate) async fn a_soak_keeps_its_word_and_its_memory(stage: &mut Stage) -> Verdict {
    if !stage.promises.forgets {
        return Err(LeftOut("it keeps what goes through it".into()));
    }
    let mut soak = Soak::begin()?;
    let line = stage.line().await.ok();
    let bus = line.as_ref().map_or_else(|| stage.bus(), |line| line.bus());
    let other = stage.bus();
    let (near, far) = (Inbox::of::<Note>(&bus).await, Inbox::of::<Note>(&other).await);
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let (mut rounds, mut unsure, mut unanswered) = (0, 0, 0);
    while soak.goes_on() {
        let begun = Instant::now();
        let first = rounds * (SIGNALS + 1);
        let cut = async {
            if let Some(line) = &line {
                line.proxy.drop_all().await;
            }
        };
        let (told, ended, ()) = tokio::join!(all_published(&bus, first), all_asked(&bus), cut);
        unanswered += ended.len();
        if line.is_some() {
            back(&bus, rounds + 1).await;
        }
        let after = all_asked(&bus).await;
        assert!(after.is_empty(), "{} calls after the return of the connection: {}", after.len(), after[0]);
        let last = first + SIGNALS;
        publish(&other, last).await;
        near.until_number(last).await;
        near.take();
        far.until_number(last).await;
        let heard: Vec<_> = far.take().iter().map(number).collect();
        let once: BTreeSet<_> = heard.iter().copied().collect();
        assert_eq!(once.len(), heard.len(), "a signal was heard twice");
        for (n, told) in (first..).zip(told) {
            match told {
                Told::Sent => assert!(once.contains(&n), "{n} went out, and was not heard"),
                Told::NotSent => assert!(!once.contains(&n), "{n} was not sent, and was heard"),
                Told::Unknown => unsure += 1,
            }
        }
        sleep_until(begun + ROUND).await;
        rounds += 1;
    }
    let grown = soak.grown();
    report(
        &stage.name,
        format_args!(
            "{rounds} rounds of {SIGNALS} signals and twice {CALLS} calls: {unsure} signals unsure, {unanswered} calls cut off; \
             {grown} MiB more at the end"
        ),
    );
    answers.stop().await;
    Ok(())
}

/// What a publisher is told.
enum Told {
    Sent,
    NotSent,
    Unknown,
}

/// Publishes a round, and what each publish was told.
async fn all_published(bus: &Bus, first: u64) -> Vec<Told> {
    let publish = async |n| match bus.publish("me", &Note { n }).await {
        Ok(_) => Told::Sent,
        Err(Error::Send(SendError::NotSent { .. })) => Told::NotSent,
        Err(Error::Send(SendError::Unknown { .. })) => Told::Unknown,
        Err(other) => panic!("{n}: {other}"),
    };
    join_all((first..first + SIGNALS).map(publish)).await
}

/// Asks a round, and why some had no answer: they were cut off.
async fn all_asked(bus: &Bus) -> Vec<CallError> {
    let asked = join_all((0..CALLS).map(|n| ask(bus, n))).await;
    let mut cut_off = Vec::new();
    for (n, answer) in (0..).zip(asked) {
        match answer {
            Ok(answer) => assert_eq!(answer, 2 * n),
            Err(error @ (CallError::Disconnected { .. } | CallError::NotSent { .. } | CallError::Timeout { .. })) => {
                cut_off.push(error);
            }
            Err(other) => panic!("{n}: {other}"),
        }
    }
    cut_off
}
