//! What becomes of a message whose handler failed.

use std::num::NonZeroU32;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Delivery, Exhausted, RetryContext};
use formicary_actors::contract::Letters;
use formicary_actors::events::EventKind;
use formicary_actors::group::{AgentOptions, Group};
use formicary_actors::registry::RestartPolicy;
use formicary_actors::{HandlerError, Retry};
use formicary_protocol::{DeadLetter, DeadReason};
use tokio::time::Instant;

use super::common::*;

on_each! {
    a_handler_knows_its_attempt_and_what_went_wrong_before,
    the_waits_are_those_of_the_policy,
    an_error_that_is_not_worth_it_is_dead_at_once,
    without_dead_letters_the_message_is_discarded_and_counted,
    what_is_given_up_is_handled_once_more_before_it_is_dead,
    a_panic_at_the_last_attempt_is_given_up_by_the_next_instance,
    what_a_neighbours_crash_interrupts_is_given_up_by_the_next_instance,
    what_waits_to_be_given_up_when_the_agent_stops_is_given_up_by_the_next_process,
    a_handler_of_give_ups_that_fails_changes_nothing,
    what_is_brought_back_by_hand_counts_as_an_attempt,
    a_stop_while_a_message_is_given_up_leaves_it_dead_once,
}

fn times(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn quick() -> Retry {
    Retry::constant(Duration::from_millis(10)).jitter(1.0)
}

async fn letters(group: &Group) -> Vec<DeadLetter> {
    group.broker().peek("jobs", Letters::all()).await.unwrap()
}

struct Knows(Log);

impl Agent for Knows {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let knows = async |me: &Self, _: Job, context: RetryContext| -> Result<(), HandlerError> {
            let last = context.last_error().map_or("nothing", |failure| &failure.error).to_owned();
            me.0.add(format!("{} of {}, last {}: {last}", context.attempt(), context.attempts(), context.is_last()));
            let age = context.first_seen().elapsed().unwrap_or_default();
            assert!(age < Duration::from_secs(3_600), "{age:?}");
            Err(format!("no {}", context.attempt()))?
        };
        agent.consumer::<Job, _, _, _, _>("work", knows).retry(quick().attempts(times(3)));
    }
}

async fn a_handler_knows_its_attempt_and_what_went_wrong_before(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Knows(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    let expected = ["1 of 3, last false: nothing", "2 of 3, last false: no 1", "3 of 3, last true: no 2"];
    assert_eq!(log.lines(), expected);
    assert_eq!(letters(&group).await[0].entry.history.len(), 3);
    group.stop().await;
}

struct Paced {
    log: Log,
    begun: Instant,
}

impl Agent for Paced {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let (step, most) = (Duration::from_millis(200), Duration::from_millis(500));
        let fails = async |me: &Self, _: Job, ()| {
            me.log.add(me.begun.elapsed().as_millis().to_string());
            Err::<(), _>("no")
        };
        let retry = Retry::linear(step, most).jitter(1.0).attempts(times(4));
        agent.consumer::<Job, _, _, _, _>("work", fails).retry(retry);
    }
}

async fn the_waits_are_those_of_the_policy(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let begun = Instant::now();
    let group = stage.group().agent(move || Paced { log: seen.clone(), begun }).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    let at: Vec<u64> = log.lines().iter().map(|line| line.parse().unwrap()).collect();
    let waits: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The first wait of a length makes a queue of delays on RabbitMQ.
    let slack = if stage.is_rabbitmq() { 600 } else { 150 };
    let fit = waits.iter().zip([200, 400, 500]).all(|(wait, due)| (due..due + slack).contains(wait));
    assert!(fit && waits.len() == 3, "{waits:?}");
    group.stop().await;
}

struct Picky(Log);

impl Agent for Picky {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let picky = async |me: &Self, job: Job, ()| {
            me.0.add(format!("handle {}", job.n));
            match job.n {
                1 => Err(HandlerError::from("no such address")),
                2 => std::future::pending().await,
                _ => Ok(()),
            }
        };
        let is_worth_it = |error: &HandlerError| error.kind() == "timeout";
        agent
            .consumer::<Job, _, _, _, _>("work", picky)
            .timeout(Duration::from_millis(50))
            .retry(quick().attempts(times(2)).on(is_worth_it));
        agent.on_exhausted::<Job, _, _, _, _>("give_up", async |me: &Self, job: Job, why: Exhausted| {
            me.0.add(format!("give up {} after {}", job.n, why.attempts()));
        });
    }
}

async fn an_error_that_is_not_worth_it_is_dead_at_once(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Picky(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the first", async || group.events().count(EventKind::DeadLettered) == 1).await;
    send(&group, 2).await;
    until(SOON, "the second", async || group.events().count(EventKind::DeadLettered) == 2).await;
    let reasons: Vec<_> = letters(&group).await.into_iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, [DeadReason::Refused, DeadReason::Exhausted]);
    let expected = ["handle 1", "give up 1 after 1", "handle 2", "handle 2", "give up 2 after 2"];
    assert_eq!(log.lines(), expected);
    group.stop().await;
}

struct Careless;

impl Agent for Careless {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| Err::<(), _>("no"))
            .retry(quick().attempts(times(2)))
            .dead_letter(false);
    }
}

async fn without_dead_letters_the_message_is_discarded_and_counted(stage: &Stage) {
    let group = stage.group().agent(|| Careless).start().await.unwrap();
    send(&group, 1).await;
    stage.push_raw("jobs", b"junk").await;
    until(SOON, "the end of both", async || group.events().count(EventKind::Discarded) == 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    until(SOON, "an empty queue", async || group.broker().inspect("jobs").await.unwrap().left() == 0).await;
    assert_eq!(
        letters(&group).await[0].reason,
        DeadReason::Undecodable,
        "what nobody understands is kept all the same"
    );
    assert_eq!(group.events().count(EventKind::Retried), 1);
    group.stop().await;
}

struct GivesUp(Log);

impl Agent for GivesUp {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let fails = async |me: &Self, job: Job, ()| -> Result<(), HandlerError> {
            me.0.add(format!("handle {}", job.n));
            if job.n == 3 { Ok(()) } else { Err(format!("no {}", job.n))? }
        };
        agent.consumer::<Job, _, _, _, _>("work", fails).retry(quick().attempts(times(2)));
        agent.on_exhausted_mut::<Job, _, _, _, _>("give_up", async |me: &mut Self, job: Job, why: Exhausted| {
            let (n, error, before) = (job.n, why.error(), why.history().len());
            me.0.add(format!("give up {n} after {}: {error}, {before} before", why.attempts()));
        });
    }
}

async fn what_is_given_up_is_handled_once_more_before_it_is_dead(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || GivesUp(seen.clone())).start().await.unwrap();
    stage.push_raw("jobs", b"junk").await;
    send(&group, 1).await;
    until(SOON, "both dead letters", async || group.events().count(EventKind::DeadLettered) == 2).await;
    assert_eq!(log.lines(), ["handle 1", "handle 1", "give up 1 after 2: no 1, 1 before"]);
    let letters = letters(&group).await;
    assert_eq!(letters[1].reason, DeadReason::Exhausted);
    assert_eq!(letters[1].entry.history.len(), 2, "that handler adds nothing");
    let info = group.info().await;
    let agent = &info.agents[0].info;
    assert_eq!(agent.consumers[0].on_exhausted.as_deref(), Some("give_up"));
    assert_eq!((agent.hooks[0].on, agent.hooks[0].handler.counts.handled), ("exhausted", 1));
    group.stop().await;
}

struct Panics {
    log: Log,
    instance: usize,
}

impl Agent for Panics {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let panics = async |me: &Self, job: Job, context: RetryContext| {
            me.log.add(format!("handle {} {}", job.n, context.attempt()));
            if job.n == 1 {
                panic!("boom")
            }
        };
        agent.consumer::<Job, _, _, _, _>("work", panics).retry(quick().attempts(times(1)));
        agent.on_exhausted::<Job, _, _, _, _>("give_up", async |me: &Self, job: Job, why: Exhausted| {
            let (n, instance) = (job.n, me.instance);
            me.log.add(format!("instance {instance} gives up {n}: {} {}", why.error().kind(), why.error()));
        });
    }
}

fn panics(log: &Log) -> impl Fn() -> Panics + Send + Sync + 'static {
    let log = log.clone();
    let instances = std::sync::atomic::AtomicUsize::new(0);
    move || Panics { log: log.clone(), instance: instances.fetch_add(1, std::sync::atomic::Ordering::Relaxed) }
}

async fn a_panic_at_the_last_attempt_is_given_up_by_the_next_instance(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(panics(&log)).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    send(&group, 2).await;
    until(SOON, "the next", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(log.lines(), ["handle 1 1", "instance 1 gives up 1: panic boom", "handle 2 1"]);
    let letters = letters(&group).await;
    let letter = &letters[0];
    assert_eq!((letters.len(), letter.reason.clone(), letter.entry.attempt), (1, DeadReason::Exhausted, 1));
    assert_eq!(letter.entry.history[0].error, "panic: boom");
    assert_eq!(group.events().count(EventKind::Crashed), 1);
    group.stop().await;
}

struct Interrupted(Log);

impl Agent for Interrupted {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let work = async |me: &Self, job: Job, ()| -> Result<(), HandlerError> {
            if job.n == 1 {
                return Err("no".into());
            }
            if me.0.count("boom") == 0 {
                me.0.add("boom");
                tokio::time::sleep(Duration::from_millis(100)).await;
                panic!("boom");
            }
            Ok(())
        };
        agent
            .consumer::<Job, _, _, _, _>("work", work)
            .retry(quick().attempts(times(2)).on(|error| error.kind() == "panic"));
        // It wants the agent for itself, and the neighbour has it until it crashes.
        agent.on_exhausted_mut::<Job, _, _, _, _>("give_up", async |me: &mut Self, job: Job, _: Exhausted| {
            me.0.add(format!("give up {}", job.n));
        });
    }
}

async fn what_a_neighbours_crash_interrupts_is_given_up_by_the_next_instance(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Interrupted(seen.clone())).start().await.unwrap();
    for n in [2, 1] {
        send(&group, n).await;
    }
    until(SOON, "the neighbour", async || group.events().count(EventKind::Consumed) == 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    assert_eq!((log.lines(), group.events().count(EventKind::Crashed)), (vec!["boom".into(), "give up 1".into()], 1));
    group.stop().await;
}

async fn what_waits_to_be_given_up_when_the_agent_stops_is_given_up_by_the_next_process(stage: &Stage) {
    let log = Log::default();
    let never = RestartPolicy::default().constant(Duration::from_secs(3_600));
    let group = stage.group().agent_with(AgentOptions::new().restart(never), panics(&log)).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the crash", async || group.events().count(EventKind::Crashed) == 1).await;
    let events = group.events().clone();
    group.stop().await;
    assert_eq!((events.count(EventKind::Retried), events.count(EventKind::DeadLettered)), (1, 0));
    let group = stage.group().agent(panics(&log)).start().await.unwrap();
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    let lines = log.lines();
    assert!(
        lines.len() == 2 && lines[1].starts_with("instance 0 gives up 1: exhausted no attempt is left"),
        "{lines:?}"
    );
    let letters = letters(&group).await;
    assert_eq!(letters[0].entry.history.iter().map(|told| told.error.as_str()).collect::<Vec<_>>(), ["panic: boom"]);
    group.stop().await;
}

struct Worse(Log);

impl Agent for Worse {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| Err::<(), _>("no"))
            .retry(quick().attempts(times(1)));
        agent
            .on_exhausted::<Job, _, _, _, _>("give_up", async |me: &Self, job: Job, ()| {
                me.0.add(format!("give up {}", job.n));
                match job.n {
                    1 => Err("that fails too"),
                    2 => std::future::pending().await,
                    3 => panic!("boom"),
                    _ => Ok(()),
                }
            })
            .timeout(Duration::from_millis(50));
    }
}

async fn a_handler_of_give_ups_that_fails_changes_nothing(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Worse(seen.clone())).start().await.unwrap();
    for n in 1..=4 {
        send(&group, n).await;
        until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == n).await;
    }
    assert_eq!(log.lines(), ["give up 1", "give up 2", "give up 3", "give up 4"], "once each");
    assert!(letters(&group).await.iter().all(|letter| letter.reason == DeadReason::Exhausted));
    assert_eq!(group.events().count(EventKind::Crashed), 1);
    group.stop().await;
}

struct ByHand(Log);

impl Agent for ByHand {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let again = async |me: &Self, _: Job, delivery: Delivery| {
            me.0.add(format!("handle {}", delivery.attempt()));
            delivery.retry(Duration::from_millis(10));
        };
        agent.consumer::<Job, _, _, _, _>("work", again).retry(quick().attempts(times(3)));
        agent.on_exhausted::<Job, _, _, _, _>("give_up", async |me: &Self, _: Job, why: Exhausted| {
            me.0.add(format!("give up at {}: {}", why.attempts(), why.error().kind()));
        });
    }
}

async fn what_is_brought_back_by_hand_counts_as_an_attempt(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || ByHand(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    assert_eq!(log.lines(), ["handle 1", "handle 2", "handle 3", "give up at 3: exhausted"]);
    let letters = letters(&group).await;
    assert_eq!(letters[0].reason, DeadReason::Exhausted);
    let history = &letters[0].entry.history;
    assert!(
        history.len() == 3 && history.iter().all(|told| told.error == "brought back by its handler"),
        "{history:?}"
    );
    group.stop().await;
}

struct Slow(Log);

impl Agent for Slow {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .consumer::<Job, _, _, _, _>("work", async |_: &Self, _: Job, ()| Err::<(), _>("no"))
            .retry(quick().attempts(times(1)));
        agent.on_exhausted::<Job, _, _, _, _>("give_up", async |me: &Self, _: Job, ()| {
            me.0.add("begun");
            std::future::pending::<()>().await;
        });
    }
}

async fn a_stop_while_a_message_is_given_up_leaves_it_dead_once(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Slow(seen.clone())).stop_deadline(Duration::from_secs(1));
    let group = group.start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the handler of give-ups", async || log.count("begun") == 1).await;
    let events = group.events().clone();
    let looks_on = stage.group().start().await.unwrap();
    group.stop().await;
    assert_eq!((events.count(EventKind::DeadLettered), events.count(EventKind::Returned)), (1, 0));
    let counts = looks_on.broker().inspect("jobs").await.unwrap();
    assert_eq!((counts.left(), counts.dead), (0, 1), "{counts:?}");
    looks_on.stop().await;
}
