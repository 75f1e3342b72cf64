//! What becomes of deliveries, whatever their handlers do.

use std::num::NonZeroU32;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Delivery};
use formicary_actors::contract::{Letters, Outcome, SendOptions, Settlement};
use formicary_actors::events::EventKind;
use formicary_actors::group::Group;
use formicary_actors::registry::RestartPolicy;
use formicary_actors::{HandlerError, Retry};
use formicary_protocol::DeadReason;
use serde_json::json;
use tokio::time::Instant;

use super::cast::{Job, Ledger, Mailer};
use super::stage::Stage;
use super::stories::{failure, say};
use super::taker::{SOON, Taker, many, send};
use crate::left_out::Verdict;
use crate::wait::until;

const ATTEMPTS: NonZeroU32 = NonZeroU32::new(3).unwrap();
const NOW: Outcome = Outcome::Retry { after: Duration::ZERO };

/// Its handlers do what the number of a job says.
struct Moody(Ledger);

impl Agent for Moody {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let work = async |me: &Self, job: Job, delivery: Delivery| -> Result<(), HandlerError> {
            me.0.add(job.n);
            match job.n % 8 {
                0 => delivery.ack(),
                1 => delivery.dead(),
                2 => delivery.retry(Duration::ZERO),
                3 => return Err("no".into()),
                4 => std::future::pending::<()>().await,
                // Few of them: each is a crash of the whole agent.
                5 if job.n < 16 => panic!("on purpose"),
                // It is dropped with the rest.
                _ => {}
            }
            Ok(())
        };
        agent
            .consumer::<Job, _, _, _, _>("work", work)
            .concurrency(many(8))
            .timeout(Duration::from_millis(200))
            .retry(Retry::constant(Duration::from_millis(20)).attempts(ATTEMPTS));
    }
}

async fn moody(stage: &Stage, ledger: &Ledger) -> Group {
    let book = ledger.clone();
    let restart = RestartPolicy::default().constant(Duration::from_millis(10)).intensity(1_000, SOON);
    stage.group().restart(restart).agent(move || Moody(book.clone())).start().await.unwrap()
}

async fn jobs(group: &Group, numbers: std::ops::Range<u64>) {
    for n in numbers {
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
}

async fn emptied(group: &Group) {
    until(SOON * 2, "an empty queue", async || group.broker().inspect("jobs").await.unwrap().left() == 0).await;
}

/// Each delivery comes to exactly one of the outcomes: acknowledged or dead by hand, brought back, failed, timed out,
/// panicked, or dropped. Nothing is left, and nothing is lost.
pub(crate) async fn each_delivery_has_one_outcome_whatever_its_handler_does(stage: &mut Stage) -> Verdict {
    let ledger = Ledger::default();
    let group = moody(stage, &ledger).await;
    jobs(&group, 0..80).await;
    let events = group.events().clone();
    let ended = || events.count(EventKind::Consumed) + events.count(EventKind::DeadLettered);
    until(SOON * 2, "the end of all messages", async || ended() >= 80).await;
    emptied(&group).await;
    // 1 of 8 is dead by hand; 2, 3, 4 and the first two of 5 at the last attempt.
    let dead = 10 + 30 + 2;
    assert_eq!((events.count(EventKind::Consumed), events.count(EventKind::DeadLettered)), (80 - dead, dead));
    assert_eq!(group.broker().inspect("jobs").await.unwrap().dead, dead);
    let mut again = 0;
    for n in 0..80 {
        let (runs, wanted) = (ledger.count(n), runs_of(n));
        assert!(runs >= wanted, "{n} ran {runs} times");
        again += runs - wanted;
    }
    let crashes = events.count(EventKind::Crashed);
    stage.report(format_args!("{again} runs beyond their attempts, beside {crashes} crashes"));
    // Neighbours of a crash come again uncounted.
    assert!(again == 0 || crashes > 0, "{again} runs beyond their attempts, without a crash");
    assert_eq!(events.count(EventKind::LateSettlement), 0);
    group.stop().await;
    Ok(())
}

/// How often a [`Moody`] handles a job.
fn runs_of(n: u64) -> usize {
    if (2..5).contains(&(n % 8)) || n == 5 || n == 13 { 3 } else { 1 }
}

/// Where no process and no network fails, each message comes once for each of its attempts, whatever its outcome.
pub(crate) async fn without_a_fault_nothing_comes_twice(stage: &mut Stage) -> Verdict {
    let ledger = Ledger::default();
    let group = moody(stage, &ledger).await;
    // The others panic.
    let all: Vec<_> = (0..200).filter(|n| n % 8 != 5).collect();
    for &n in &all {
        group.broker().send::<Job>(&Job { n }).await.unwrap();
    }
    let events = group.events().clone();
    let ended = || (events.count(EventKind::Consumed) + events.count(EventKind::DeadLettered)) as usize;
    until(SOON * 3, "the end of all messages", async || ended() >= all.len()).await;
    emptied(&group).await;
    let again: Vec<_> = all.iter().filter(|n| ledger.count(**n) != runs_of(**n)).collect();
    stage.report(format_args!("{} of {} came twice", again.len(), all.len()));
    assert!(again.is_empty(), "not as often as they have attempts: {again:?}");
    assert_eq!((events.count(EventKind::LateSettlement), events.count(EventKind::Crashed)), (0, 0), "late, crashes");
    group.stop().await;
    Ok(())
}

/// After the last attempt a message is a dead letter with its bytes, its attempt and what went wrong each time.
pub(crate) async fn the_last_attempt_makes_a_dead_letter(stage: &mut Stage) -> Verdict {
    let ledger = Ledger::default();
    let group = moody(stage, &ledger).await;
    jobs(&group, 3..4).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    let letter = group.broker().peek("jobs", Letters::all()).await.unwrap().remove(0);
    assert_eq!((letter.reason, letter.entry.attempt, ledger.count(3)), (DeadReason::Exhausted, 3, 3));
    assert_eq!(&*letter.entry.body, b"{\"n\":3}");
    let history: Vec<_> = letter.entry.history.iter().map(|failure| (&*failure.handler, &*failure.error)).collect();
    assert_eq!(history, [("work", "no"); 3]);
    group.stop().await;
    Ok(())
}

/// What is no message of its queue is a dead letter at once, with its bytes, and holds up nothing.
pub(crate) async fn what_cannot_be_decoded_is_dead_at_once(stage: &mut Stage) -> Verdict {
    let bad = [&b""[..], b"\xff", b"{\"n\":\"one\"}", b"{\"unknown\":1}", b"[]", b"{\"n\":1"];
    let ledger = Ledger::default();
    let group = moody(stage, &ledger).await;
    for body in bad {
        stage.push_raw("jobs", body).await?;
    }
    jobs(&group, 8..9).await;
    until(SOON, "the good one", async || ledger.len() == 1).await;
    let events = group.events();
    until(SOON, "the dead letters", async || events.count(EventKind::DeadLettered) == bad.len() as u64).await;
    let mut letters = group.broker().peek("jobs", Letters::of(DeadReason::Undecodable)).await.unwrap();
    letters.sort_by(|one, other| one.entry.body.cmp(&other.entry.body));
    let mut bodies = bad;
    bodies.sort_unstable();
    assert_eq!(letters.iter().map(|letter| &*letter.entry.body).collect::<Vec<_>>(), bodies);
    assert!(letters.iter().all(|letter| letter.entry.attempt == 1), "it was tried again");
    group.stop().await;
    Ok(())
}

/// Whatever became of messages before, the next ones come: no place in hand is lost.
pub(crate) async fn nothing_takes_a_place_in_hand_for_ever(stage: &mut Stage) -> Verdict {
    let ledger = Ledger::default();
    let group = moody(stage, &ledger).await;
    jobs(&group, 0..24).await;
    for _ in 0..24 {
        if stage.push_raw("jobs", b"no job").await.is_err() {
            break;
        }
    }
    emptied(&group).await;
    // As many good ones as there are places, at once.
    let before = ledger.len();
    for n in 0..8 {
        group.broker().send::<Job>(&Job { n: 1_000 + n * 8 }).await.unwrap();
    }
    until(SOON, "eight more", async || ledger.len() >= before + 8).await;
    emptied(&group).await;
    assert_eq!(group.load().running, 0);
    group.stop().await;
    Ok(())
}

/// A message that was given back, or failed, can be taken by another consumer; delays, attempts, ids and histories
/// outlive the consumer.
pub(crate) async fn delays_and_attempts_outlive_their_consumer(stage: &mut Stage) -> Verdict {
    stage.promises("to settle each on its own", |promises| promises.settles_each)?;
    let sender = stage.broker();
    let first = stage.broker();
    send(&sender, "mailer", 0..1).await;
    let taker = Taker::of(&first, "mailer", 4).await;
    let one = taker.one().await;
    let (begun, after) = (Instant::now(), Duration::from_millis(700));
    let retry = Settlement::new(one.token, Outcome::Retry { after }).failed(failure("no"));
    taker.settle(retry).await.unwrap();
    drop((taker, first));
    let taker = Taker::of(&stage.broker(), "mailer", 4).await;
    let two = taker.one().await;
    assert!(begun.elapsed() >= after, "it came after {:?}, and the delay was {after:?}", begun.elapsed());
    assert_eq!(say(&two), "b\"0\" attempt 2 after [\"no\"]");
    assert_eq!((&two.id, two.first_seen_ms), (&one.id, one.first_seen_ms));
    taker.settle(Settlement::new(two.token, Outcome::Return)).await.unwrap();
    let again = taker.one().await;
    assert_eq!((again.attempt, again.history.len()), (2, 1), "a return counts no attempt");
    taker.ack(&again).await;
    Ok(())
}

/// A delayed message is kept at the broker, not in the process that sent it; it never comes early.
pub(crate) async fn a_delayed_message_outlives_its_sender(stage: &mut Stage) -> Verdict {
    stage.can("delay", |can| can.delay).await?;
    let look = stage.broker();
    let sender = stage.broker();
    let mut options = SendOptions::default();
    let delay = Duration::from_millis(700);
    options.delay = Some(delay);
    let begun = Instant::now();
    sender.send_with::<Mailer>(&json!(1), options).await.unwrap();
    drop(sender);
    let taker = Taker::of(&look, "mailer", 4).await;
    let one = taker.one().await;
    assert!(begun.elapsed() >= delay, "it came after {:?}", begun.elapsed());
    assert_eq!(one.attempt, 1);
    taker.ack(&one).await;
    Ok(())
}

/// Of one delivery the first settlement counts; what comes later is told as late, and changes nothing.
pub(crate) async fn the_first_settlement_of_a_delivery_counts(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    send(&broker, "mailer", 0..1).await;
    let taker = Taker::of(&broker, "mailer", 4).await;
    let one = taker.one().await;
    taker.ack(&one).await;
    for outcome in [Outcome::Ack, Outcome::Return, NOW, Outcome::Dead { reason: DeadReason::Refused }] {
        taker.settle(Settlement::new(one.token, outcome)).await.unwrap_err();
    }
    let counts = broker.inspect("mailer").await.unwrap();
    assert_eq!((counts.left(), counts.dead, taker.held()), (0, 0, 0));
    Ok(())
}

/// Dead letters are read, put back and deleted.
pub(crate) async fn dead_letters_are_read_replayed_and_purged(stage: &mut Stage) -> Verdict {
    let broker = stage.broker();
    send(&broker, "mailer", 0..4).await;
    let taker = Taker::of(&broker, "mailer", 4).await;
    for one in taker.next(4).await {
        let dead = Settlement::new(one.token, Outcome::Dead { reason: DeadReason::Refused });
        taker.settle(dead.failed(failure("no"))).await.unwrap();
    }
    let letters = broker.peek("mailer", Letters::all()).await.unwrap();
    assert_eq!((letters.len(), &letters[0].reason), (4, &DeadReason::Refused));
    assert_eq!(broker.replay("mailer", Letters::all().oldest(3)).await.unwrap(), 3);
    for one in taker.next(3).await {
        assert_eq!((one.attempt, one.history.len()), (1, 1), "attempts are counted anew, and the history is kept");
        taker.ack(&one).await;
    }
    assert_eq!(broker.purge("mailer", Letters::all()).await.unwrap(), 1);
    assert_eq!(broker.inspect("mailer").await.unwrap().dead, 0);
    Ok(())
}
