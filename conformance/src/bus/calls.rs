//! Questions and their answers.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Call};
use formicary_actors::bus::Bus;
use formicary_actors::events::EventKind;
use formicary_actors::{CallError, Error, HandlerError};
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::cast::{Ask, Doubles, Note};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, slack, up};
use crate::left_out::Verdict;
use crate::wait;

/// Asks, and gives the error that every question of these cases ends with.
pub(crate) async fn ask(bus: &Bus, n: u64) -> Result<u64, CallError> {
    match bus.call("caller", &Ask { n }).await {
        Err(Error::Call(error)) => Err(error),
        other => Ok(other.unwrap()),
    }
}

/// A call brings the answer of an agent in another process, or the error of its handler with name, kind and message.
pub(crate) async fn a_call_is_answered_or_fails_with_its_handlers_error(stage: &mut Stage) -> Verdict {
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = stage.bus();
    assert_eq!(ask(&caller, 21).await.unwrap(), 42);
    for (n, kind, message) in
        [(Doubles::ERROR, "error", "no such number"), (Doubles::PANIC, "panic", "the handler breaks")]
    {
        let failed = ask(&caller, n).await.unwrap_err();
        let CallError::Remote { handler, kind: its, message: said, .. } = &failed else { panic!("{failed}") };
        assert_eq!((&**handler, &**its, &**said), ("Doubles.double", kind, message));
    }
    wait::until(SOON, "the restart", async || answers.events().count(EventKind::Restarted) == 1).await;
    assert_eq!(ask(&caller, 1).await.unwrap(), 2);
    answers.stop().await;
    Ok(())
}

/// A call ends at its deadline; the answer that comes later is counted as late, by who has called.
pub(crate) async fn a_call_ends_at_its_deadline_and_its_answer_is_late(stage: &mut Stage) -> Verdict {
    let within = Duration::from_millis(300);
    let answers = stage.group().agent(move || Doubles { after: 3 * within }).start().await.unwrap();
    let mut env = stage.env();
    env.limits.call_deadline = within;
    let caller = stage.bus_with(env);
    up(&caller).await;
    let begun = Instant::now();
    let error = ask(&caller, 1).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    assert!((within..within + slack()).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let events = &caller.env().events;
    wait::until(SOON, "the late answer", async || events.count(EventKind::LateAnswer) == 1).await;
    assert_eq!((events.count(EventKind::DuplicateAnswer), events.count(EventKind::CallFailed)), (0, 1));
    assert_eq!(answers.events().count(EventKind::LateAnswer), 0);
    answers.stop().await;
    Ok(())
}

/// Of two responders the first answer is taken; the other one is counted as a duplicate, and only by who has called.
pub(crate) async fn the_second_answer_is_a_duplicate(stage: &mut Stage) -> Verdict {
    let one = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let two = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = stage.bus();
    let events = &caller.env().events;
    for n in 1..=10 {
        assert_eq!(ask(&caller, n).await.unwrap(), 2 * n);
        let other = async || events.count(EventKind::DuplicateAnswer) == n;
        wait::until(SOON, "the other answer", other).await;
    }
    assert_eq!((events.count(EventKind::LateAnswer), events.count(EventKind::CallAnswered)), (0, 10));
    for group in [one, two] {
        assert_eq!(group.events().count(EventKind::DuplicateAnswer), 0);
        group.stop().await;
    }
    Ok(())
}

/// Whether a responder fails, panics or is stopped in the middle of it: its caller is told, long before the deadline.
pub(crate) async fn a_responder_that_stops_tells_its_caller(stage: &mut Stage) -> Verdict {
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = stage.bus();
    let call = stage.call(&caller, Doubles::HANGS);
    wait::until(SOON, "the request", async || answers.events().count(EventKind::RequestReceived) == 1).await;
    let begun = Instant::now();
    answers.stop_within(Duration::from_millis(500)).await;
    let error = call.await.unwrap().unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(error.to_string().contains("stopped"), "{error}");
    Ok(())
}

/// 1,000 calls are in flight at once, and each has its own answer.
pub(crate) async fn a_thousand_calls_are_in_flight_at_once(stage: &mut Stage) -> Verdict {
    let after = Duration::from_millis(20);
    let answers = stage.group().agent(move || Doubles { after }).start().await.unwrap();
    let caller = stage.bus();
    let calls = (0..1_000).filter(|n| ![400, 408, 500].contains(n));
    let answered = join_all(calls.clone().map(|n| ask(&caller, n))).await;
    for (n, answer) in calls.zip(answered) {
        assert_eq!(answer.unwrap(), 2 * n);
    }
    assert_eq!(caller.env().events.count(EventKind::DuplicateAnswer), 0);
    answers.stop().await;
    Ok(())
}

/// A call to which nobody listens fails at once where the bus can tell, else at its deadline; and so does one whose
/// listener has gone.
pub(crate) async fn a_call_that_nobody_hears_is_told(stage: &mut Stage) -> Verdict {
    let mut env = stage.env();
    let tells = stage.promises.tells_nobody_listening;
    if !tells {
        env.limits.call_deadline = Duration::from_millis(300);
    }
    let caller = stage.bus_with(env);
    up(&caller).await;
    let unheard = async || match ask(&caller, 1).await {
        Err(CallError::NobodyListening { .. }) if tells => Ok(()),
        Err(CallError::Timeout { .. }) if !tells => Ok(()),
        other => Err(other),
    };
    unheard().await.unwrap();
    let there = stage.bus();
    let (_inbox, id) = Inbox::with_id::<Ask>(&there).await;
    let call = stage.call(&caller, 2);
    wait::until(SOON, "the request", async || _inbox.len() == 1).await;
    call.abort();
    there.unsubscribe(id).await;
    wait::until(SOON, "the end of the subscription", unheard).await;
    Ok(())
}

/// Asks all, and tells how many have answered.
struct Asks(mpsc::UnboundedSender<Vec<u64>>);

impl Agent for Asks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("ask", async |me: &Self, note: Note, ask: Call<Ask>| -> Result<(), HandlerError> {
            let mut answers = ask.within(Duration::from_secs(1)).all(&Ask { n: note.n }).await?;
            let mut all = Vec::new();
            while let Some(answer) = answers.next().await {
                all.push(answer?);
            }
            me.0.send(all)?;
            Ok(())
        });
    }
}

/// A call to all gathers one answer of each agent, in whatever process, until its deadline.
pub(crate) async fn a_call_to_all_gathers_an_answer_of_each(stage: &mut Stage) -> Verdict {
    let one = stage.group().agent(Doubles::at_once).agent(Doubles::at_once).start().await.unwrap();
    let two = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let (sender, mut all) = mpsc::unbounded_channel();
    let asks = stage.group().agent(move || Asks(sender.clone())).start().await.unwrap();
    asks.bus().publish("me", &Note { n: 4 }).await.unwrap();
    let answers = tokio::time::timeout(SOON, all.recv()).await.unwrap();
    assert_eq!(answers.unwrap(), [8, 8, 8]);
    for group in [asks, one, two] {
        group.stop().await;
    }
    Ok(())
}
