//! `Outbox` and `after_ack`: what goes with an acknowledgement, and what comes after it.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Cx, Delivery, Outbox};
use formicary_actors::contract::{ConsumerId, Outcome, Settlement, Token};
use formicary_actors::events::EventKind;
use formicary_actors::group::Group;
use formicary_actors::{Error, HandlerError, Retry, block_on};
use formicary_protocol::DeadReason;

use super::common::*;

on_each! {
    an_outbox_is_sent_with_the_acknowledgement_and_not_before,
    what_is_not_acknowledged_sends_nothing,
    an_outbox_has_bounds_and_ends_with_the_settlement,
    a_blocking_consumer_has_an_outbox_too,
    what_comes_after_an_acknowledgement_comes_after_it,
    what_is_not_acknowledged_has_nothing_after_it,
    a_stop_waits_for_what_comes_after_an_acknowledgement,
    what_fails_after_an_acknowledgement_is_counted_and_ends_nothing,
    what_panics_when_it_is_dropped_after_an_acknowledgement_ends_nothing,
}

async fn done(group: &Group) -> u64 {
    group.broker().inspect("done").await.unwrap().waiting
}

struct Produces(Log);

impl Agent for Produces {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let produce = async |me: &Self, job: Job, (outbox, delivery, cx): (Outbox<Done>, Delivery, Cx)| {
            let attempt = delivery.attempt();
            me.0.add(format!("handle {} {attempt}", job.n));
            for n in 0..3 {
                outbox.send(&Done { n: job.n * 10 + n })?;
            }
            let log = me.0.clone();
            cx.after_ack(async move { log.add(format!("after {} {attempt}", job.n)) })?;
            match (job.n, attempt) {
                (1, _) => {
                    while me.0.count("go") == 0 {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                (2, 1) => Err("not yet")?,
                (3, 1) => std::future::pending().await,
                (4, 1) => panic!("boom"),
                (5, 1) => delivery.retry(Duration::from_millis(10)),
                (6, _) => delivery.dead(),
                (7, _) => {
                    delivery.ack();
                    Err("after the acknowledgement it does not matter")?;
                }
                _ => {}
            }
            Ok::<_, HandlerError>(())
        };
        agent
            .consumer::<Job, _, _, _, _>("produce", produce)
            .timeout(Duration::from_millis(200))
            .retry(Retry::constant(Duration::from_millis(10)));
    }
}

async fn produces(stage: &Stage) -> (Log, Group) {
    let log = Log::default();
    let seen = log.clone();
    (log, stage.group().agent(move || Produces(seen.clone())).start().await.unwrap())
}

async fn an_outbox_is_sent_with_the_acknowledgement_and_not_before(stage: &Stage) {
    let (log, group) = produces(stage).await;
    send(&group, 1).await;
    until(SOON, "the handler", async || log.count("handle 1 1") == 1).await;
    assert_eq!(done(&group).await, 0);
    log.add("go");
    until(SOON, "the acknowledgement", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(done(&group).await, 3);
    send(&group, 7).await;
    until(SOON, "the one by hand", async || group.events().count(EventKind::Consumed) == 2).await;
    assert_eq!((done(&group).await, group.events().count(EventKind::Queued)), (6, 8));
    group.stop().await;
}

async fn what_is_not_acknowledged_sends_nothing(stage: &Stage) {
    let (log, group) = produces(stage).await;
    for (n, sent, acknowledged) in [(2, 3, 1), (3, 6, 2), (4, 9, 3), (5, 12, 4)] {
        send(&group, n).await;
        let again = format!("handle {n} 2");
        until(SOON, "the second attempt", async || log.count(&again) == 1).await;
        let consumed = async || group.events().count(EventKind::Consumed) == acknowledged;
        until(SOON, "its acknowledgement", consumed).await;
        assert_eq!(done(&group).await, sent, "only the attempt that was acknowledged sends: {n}");
    }
    send(&group, 6).await;
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    assert_eq!(done(&group).await, 12);
    group.stop().await;
}

struct Greedy(Log);

impl Agent for Greedy {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let greedy = async |me: &Self, job: Job, (outbox, delivery, cx): (Outbox<Done>, Delivery, Cx)| {
            let most = if job.n == 1 { 1_024 } else { 10 };
            for n in 0..most {
                outbox.send(&Done { n })?;
            }
            match outbox.send(&Done { n: 0 }) {
                Ok(()) => me.0.add("taken"),
                Err(error) => me.0.add(error.to_string()),
            }
            delivery.ack();
            me.0.add(outbox.send(&Done { n: 0 }).unwrap_err().to_string());
            me.0.add(cx.after_ack(async {}).unwrap_err().to_string());
            Ok::<_, HandlerError>(())
        };
        agent.consumer::<Job, _, _, _, _>("greedy", greedy);
        agent.receiver("hear", async |me: &Self, _: Ping, cx: Cx| {
            me.0.add(cx.after_ack(async {}).unwrap_err().to_string());
        });
    }
}

async fn an_outbox_has_bounds_and_ends_with_the_settlement(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Greedy(seen.clone())).start().await.unwrap();
    let settled = [
        "not sent: the delivery is settled already: send before that",
        "the message is settled already: call `after_ack` before that",
    ];
    send(&group, 1).await;
    until(SOON, "the first", async || group.events().count(EventKind::Consumed) == 1).await;
    assert_eq!(
        log.lines(),
        ["messages in the outbox of one delivery: there may be 1024 at once", settled[0], settled[1]]
    );
    assert_eq!(done(&group).await, 1_024);
    log.clear();
    send(&group, 2).await;
    until(SOON, "the second", async || group.events().count(EventKind::Consumed) == 2).await;
    assert_eq!(
        (log.lines(), done(&group).await),
        (["taken", settled[0], settled[1]].map(String::from).to_vec(), 1_035)
    );
    log.clear();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the receiver", async || log.lines().len() == 1).await;
    assert_eq!(log.lines(), ["there is no message to acknowledge: `after_ack` is for consumers"]);
    group.stop().await;
}

struct Computes;

impl Agent for Computes {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let log = seen();
        agent
            .blocking_consumer::<Job, _, _, _, _>("compute", move |job: Job, outbox: Outbox<Done>| {
                outbox.send(&Done { n: job.n })?;
                log.add(format!("handle {}", job.n));
                if log.count("handle 2") == 1 {
                    Err("not yet")?
                }
                block_on(async { Ok::<_, HandlerError>(()) })
            })
            .retry(Retry::constant(Duration::from_millis(10)));
    }
}

async fn a_blocking_consumer_has_an_outbox_too(stage: &Stage) {
    let log = fresh();
    stage.real_time();
    let group = stage.group().agent(|| Computes).start().await.unwrap();
    for n in [1, 2] {
        send(&group, n).await;
        until(SOON, "the acknowledgement", async || group.events().count(EventKind::Consumed) == n).await;
    }
    assert_eq!(log.lines(), ["handle 1", "handle 2", "handle 2"]);
    assert_eq!(done(&group).await, 2);
    group.stop().await;
}

async fn what_comes_after_an_acknowledgement_comes_after_it(stage: &Stage) {
    let (log, group) = produces(stage).await;
    log.add("go");
    for (n, after) in [(1, "after 1 1"), (7, "after 7 1"), (2, "after 2 2")] {
        send(&group, n).await;
        until(SOON, "what comes after", async || log.count(after) == 1).await;
        assert_eq!(group.broker().inspect("jobs").await.unwrap().left(), 0, "the message is gone");
    }
    assert_eq!((log.count("after 2 1"), group.events().count(EventKind::Consumed)), (0, 3));
    group.stop().await;
}

async fn what_is_not_acknowledged_has_nothing_after_it(stage: &Stage) {
    let (log, group) = produces(stage).await;
    for n in [2, 3, 5, 6] {
        send(&group, n).await;
    }
    until(SOON, "the dead letter", async || group.events().count(EventKind::DeadLettered) == 1).await;
    until(SOON, "three", async || log.lines().iter().filter(|line| line.starts_with("after")).count() == 3).await;
    // It crashes alone: what comes after an acknowledgement ends with its instance.
    send(&group, 4).await;
    until(SOON, "the fourth", async || log.count("after 4 2") == 1).await;
    group.stop().await;
    let mut after: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("after")).collect();
    after.sort();
    assert_eq!(after, ["after 2 2", "after 3 2", "after 4 2", "after 5 2"]);
}

struct Late(Log);

impl Agent for Late {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let late = async |me: &Self, job: Job, (outbox, cx): (Outbox<Done>, Cx)| {
            outbox.send(&Done { n: job.n })?;
            let log = me.0.clone();
            cx.after_ack(async move { log.add("after") })?;
            me.0.add("handle");
            while me.0.count("go") == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, Error>(())
        };
        agent.consumer::<Job, _, _, _, _>("late", late);
    }
}

#[actix::test]
async fn a_late_acknowledgement_sends_nothing_and_has_nothing_after_it() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Late(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "the handler", async || log.count("handle") == 1).await;
    // Somebody takes the message away, as another consumer does after a lease.
    let taken = Settlement::new(Token(1), Outcome::Dead { reason: DeadReason::Refused });
    group.broker().settled(ConsumerId(0), taken).await.unwrap();
    log.add("go");
    until(SOON, "the late one", async || group.events().count(EventKind::LateSettlement) == 1).await;
    assert_eq!(done(&group).await, 0);
    group.stop().await;
    assert_eq!(log.lines(), ["handle", "go"]);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

struct Lingers(Log);

impl Agent for Lingers {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let linger = async |me: &Self, job: Job, cx: Cx| -> Result<(), HandlerError> {
            let log = me.0.clone();
            match job.n {
                1 => cx.after_ack(async move {
                    log.add("begun");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    log.add("done");
                })?,
                2 => cx.after_ack(async { Err::<(), _>("no") })?,
                3 => cx.after_ack(async {
                    assert!(tokio::runtime::Handle::try_current().is_err(), "boom");
                })?,
                4 => cx.after_ack(std::future::pending::<()>())?,
                6 => {
                    let bomb = Bomb;
                    cx.after_ack(async move {
                        std::future::pending::<()>().await;
                        drop(bomb);
                    })?;
                }
                _ => {
                    for _ in 0..64 {
                        cx.after_ack(async {})?;
                    }
                    cx.after_ack(async {})?;
                }
            }
            Ok(())
        };
        agent
            .consumer::<Job, _, _, _, _>("linger", linger)
            .timeout(Duration::from_secs(1))
            .retry(Retry::default().attempts(1.try_into().unwrap()));
    }
}

async fn a_stop_waits_for_what_comes_after_an_acknowledgement(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Lingers(seen.clone())).start().await.unwrap();
    send(&group, 1).await;
    until(SOON, "what comes after", async || log.count("begun") == 1).await;
    group.stop().await;
    assert_eq!(log.lines(), ["begun", "done"]);
}

async fn what_fails_after_an_acknowledgement_is_counted_and_ends_nothing(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Lingers(seen.clone())).start().await.unwrap();
    let events = group.events();
    send(&group, 2).await;
    until(SOON, "the failure", async || events.count(EventKind::Failed) == 1).await;
    send(&group, 3).await;
    until(SOON, "the panic", async || events.count(EventKind::TaskPanicked) == 1).await;
    send(&group, 4).await;
    until(SOON, "the timeout", async || events.count(EventKind::Failed) == 2).await;
    assert_eq!((events.count(EventKind::Consumed), events.count(EventKind::Crashed)), (3, 0));
    send(&group, 5).await;
    until(SOON, "one too many", async || events.count(EventKind::DeadLettered) == 1).await;
    group.stop().await;
}

async fn what_panics_when_it_is_dropped_after_an_acknowledgement_ends_nothing(stage: &Stage) {
    let log = Log::default();
    let group = stage.group().agent(move || Lingers(log.clone())).start().await.unwrap();
    let events = group.events();
    send(&group, 6).await;
    until(SOON, "the timeout", async || events.count(EventKind::Failed) == 1).await;
    assert_eq!((events.count(EventKind::TaskPanicked), events.count(EventKind::Crashed)), (1, 0));
    group.stop().await;
}

#[tokio::test]
async fn an_outbox_can_be_recorded() {
    let (outbox, sent) = Outbox::<Done>::recording();
    outbox.send(&Done { n: 7 }).unwrap();
    assert_eq!(sent.sent(), [Done { n: 7 }]);
}
