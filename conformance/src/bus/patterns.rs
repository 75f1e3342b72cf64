//! Signals by pattern, and those of them that a filter takes.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, AnySignal};
use formicary_actors::events::EventKind;
use formicary_actors::{CallError, HandlerError};
use tokio::sync::mpsc;

use super::calls::ask;
use super::cast::{Ask, Note, Notes};
use super::stage::{SOON, Stage, publish};
use crate::left_out::Verdict;
use crate::wait;

type Heard = mpsc::UnboundedSender<String>;

/// Hears all that begins with `note`.
struct Audits(Heard);

impl Agent for Audits {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_of(&["note*"], "audit", async |me: &Self, any: AnySignal, ()| {
            me.0.send(format!("{} {}", any.signal, any.arguments["n"]))
        });
    }
}

/// A pattern stands for every declared signal that it matches, and hears no other one; each signal comes once.
pub(crate) async fn a_pattern_hears_every_declared_signal_that_it_matches(stage: &mut Stage) -> Verdict {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let group = stage.group().agent(move || Audits(sender.clone())).start().await.unwrap();
    let other = stage.bus();
    for n in 0..3 {
        publish(&other, n).await;
        other.publish("me", &Notes { n }).await.unwrap();
        let call = stage.call(&other, n);
        wait::until(SOON, "both", async || group.events().count(EventKind::Handled) == 2 * (n + 1)).await;
        call.abort();
    }
    let mut came: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    came.sort();
    assert_eq!(came, ["note 0", "note 1", "note 2", "note.s 0", "note.s 1", "note.s 2"]);
    assert_eq!(group.events().count(EventKind::RequestReceived), 0);
    group.stop().await;
    Ok(())
}

/// Takes even numbers only.
struct Even(Heard);

impl Agent for Even {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let even = |n: u64| n.is_multiple_of(2);
        agent
            .receiver("hear", async |me: &Self, note: Note, ()| me.0.send(note.n.to_string()))
            .filter(move |note: &Note| even(note.n));
        agent
            .receiver("answer", async |_: &Self, ask: Ask, ()| Ok::<_, HandlerError>(ask.n))
            .filter(move |ask: &Ask| even(ask.n));
    }
}

/// What a filter refuses is counted and nothing else: no run, no answer.
pub(crate) async fn a_filter_takes_what_it_wants_and_counts_the_rest(stage: &mut Stage) -> Verdict {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let group = stage.group().agent(move || Even(sender.clone())).start().await.unwrap();
    let mut env = stage.env();
    env.limits.call_deadline = Duration::from_secs(1);
    let other = stage.bus_with(env);
    for n in 0..10 {
        publish(&other, n).await;
    }
    for n in [0, 2, 4, 6, 8] {
        assert_eq!(tokio::time::timeout(SOON, heard.recv()).await.unwrap(), Some(n.to_string()));
    }
    assert_eq!(ask(&other, 2).await.unwrap(), 2);
    let error = ask(&other, 3).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    let counted = async || group.events().count(EventKind::Filtered) == 6;
    wait::until(SOON, "what was refused", counted).await;
    assert_eq!((group.events().count(EventKind::Handled), heard.try_recv().is_err()), (6, true));
    group.stop().await;
    Ok(())
}
