//! Stories: each is told by an adapter, in words, and held against the words that are written down in `told/`. So all
//! adapters show agents the same, doubles and servers, and none errs in the same way as another.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, Call, Publish, SentBy};
use formicary_actors::bus::Bus;
use formicary_actors::events::EventKind;
use serde_json::json;

use super::calls::ask;
use super::cast::{Ask, Doubles, Note, Notes};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, publish, up};
use crate::left_out::Verdict;
use crate::wait;

/// What a story says. Ids and times are left out.
type Told = Vec<String>;

/// `TELL_ANEW=1` writes the words down, for whoever changes a story in this crate's own folder.
fn held_against(story: &str, written: &str, told: &Told) {
    let told = told.join("\n") + "\n";
    if std::env::var_os("TELL_ANEW").is_some() {
        let file = format!("{}/src/bus/told/{story}.txt", env!("CARGO_MANIFEST_DIR"));
        return std::fs::write(file, told).unwrap();
    }
    assert_eq!(told, written, "what is told, and what is written in told/{story}.txt");
}

/// What became of something, in words.
fn ended<T: std::fmt::Debug, E: std::fmt::Display>(what: &str, ended: Result<T, E>) -> String {
    match ended {
        Ok(_) => format!("{what}: well"),
        Err(error) => format!("{what}: {error}"),
    }
}

/// How often each thing happened on a bus that happened.
fn happened(bus: &Bus) -> String {
    let kinds = EventKind::ALL.iter().map(|kind| (kind, bus.env().events.count(*kind))).filter(|(_, n)| *n > 0);
    kinds.map(|(kind, n)| format!("{} {n}", kind.word())).collect::<Vec<_>>().join(", ")
}

/// What is published, what of it is refused, and who hears it.
pub(crate) async fn of_what_is_published_and_heard(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    let (near, far, others) =
        (Inbox::of::<Note>(&here).await, Inbox::of::<Note>(&there).await, Inbox::of::<Notes>(&there).await);
    let mut told = Told::new();
    for n in 0..3 {
        told.push(ended("a note", here.publish("ada", &Note { n }).await));
        told.push(ended("notes", here.publish("bob", &Notes { n }).await));
    }
    told.push(ended("what nobody declared", here.dynamic("ada", "nothing", &json!({"n": 1})).await));
    told.push(ended("a sender with a colon", here.publish("a:b", &Note { n: 9 }).await));
    told.push(ended("no sender", here.publish("", &Note { n: 9 }).await));
    told.push(ended("too much", here.dynamic("ada", "note", &json!({"n": "x".repeat(2 << 20)})).await));
    told.push(ended("a note", there.publish("eve", &Note { n: 3 }).await));
    for (who, inbox, count) in [("near", near, 4), ("far", far, 4), ("others", others, 3)] {
        let mut came = inbox.until(count).await;
        // Two senders need not keep an order between them.
        came.sort_by(|one, other| one.sender.cmp(&other.sender));
        for one in came {
            told.push(format!("{who} heard {} of {}: {:?}", one.signal, one.sender, one.body));
        }
    }
    told.extend([happened(&here), happened(&there)]);
    held_against("of_what_is_published_and_heard", include_str!("told/of_what_is_published_and_heard.txt"), &told);
    Ok(())
}

/// What is asked, and every way in which it ends.
pub(crate) async fn of_what_is_asked_and_answered(stage: &mut Stage) -> Verdict {
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let mut env = stage.env();
    env.limits.call_deadline = Duration::from_secs(1);
    let caller = stage.bus_with(env);
    up(&caller).await;
    let mut told = Told::new();
    for n in [1, Doubles::ERROR, Doubles::PANIC, Doubles::HANGS] {
        let answer = ask(&caller, n).await.map_or_else(|error| error.to_string(), |answer| answer.to_string());
        told.push(format!("asked {n}: {answer}"));
        let ready = async || answers.events().count(EventKind::Crashed) == answers.events().count(EventKind::Restarted);
        wait::until(SOON, "the restart", ready).await;
    }
    told.push(ended("a sender with a colon", caller.call("a:b", &Ask { n: 1 }).await));
    let two = stage.group().agent(Doubles::at_once).start().await.unwrap();
    told.push(format!("asked two: {:?}", ask(&caller, 2).await.map_err(|error| error.to_string())));
    let second = async || caller.env().events.count(EventKind::DuplicateAnswer) == 1;
    wait::until(SOON, "the second answer", second).await;
    told.push(happened(&caller));
    two.stop().await;
    answers.stop_within(Duration::from_millis(100)).await;
    held_against("of_what_is_asked_and_answered", include_str!("told/of_what_is_asked_and_answered.txt"), &told);
    Ok(())
}

type Log = Arc<Mutex<Told>>;

/// Hears a note, tells it on, and asks about it.
struct Talks(Log);

impl Agent for Talks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |me: &Self, note: Note, (from, others, asks): Heard| {
            let answer = asks.first(&Ask { n: note.n }).await.map_err(|error| error.to_string());
            let line = format!("hear {} of {from}: {answer:?}", note.n);
            me.0.lock().unwrap().push(line);
            others.send(&Notes { n: note.n }).await?;
            if note.n == 3 { panic!("three") } else { Ok::<_, HandlerError>(()) }
        });
    }
}

type Heard = (SentBy, Publish<Notes>, Call<Ask>);

/// Hears what is told on.
struct Listens(Log);

impl Agent for Listens {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("echo", async |me: &Self, notes: Notes, from: SentBy| {
            me.0.lock().unwrap().push(format!("echo {} of {from}", notes.n));
        });
    }
}

/// Agents of three processes that talk to each other, fail and crash.
pub(crate) async fn of_agents_that_talk(stage: &mut Stage) -> Verdict {
    let log = Log::default();
    let (one, two) = (log.clone(), log.clone());
    let talks = stage.group().agent(move || Talks(one.clone())).start().await.unwrap();
    let listens = stage.group().agent(move || Listens(two.clone())).start().await.unwrap();
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let teller = stage.bus();
    // One after the other, so that there is one story only.
    for (n, lines) in (1..).zip([1, 2, Doubles::ERROR, 3, 4]).map(|(lines, n)| (n, 2 * lines)) {
        publish(&teller, n).await;
        wait::until(SOON, "what comes of it", async || log.lock().unwrap().len() == lines).await;
        let ended = async || {
            let count = |kind| talks.events().count(kind);
            count(EventKind::Handled) + count(EventKind::Failed) + count(EventKind::Restarted) == lines as u64 / 2
        };
        wait::until(SOON, "the end of its handler", ended).await;
    }
    wait::until(SOON, "the last echo", async || listens.events().count(EventKind::Handled) == 5).await;
    let mut told = log.lock().unwrap().clone();
    told.extend([&teller, talks.bus(), listens.bus(), answers.bus()].map(happened));
    for group in [talks, listens, answers] {
        group.stop().await;
    }
    held_against("of_agents_that_talk", include_str!("told/of_agents_that_talk.txt"), &told);
    Ok(())
}
