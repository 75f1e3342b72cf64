//! What other programs may publish.

use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use tokio::sync::mpsc;

use super::cast::{Doubles, Note};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, publish};
use crate::bodies::bad_bodies;
use crate::left_out::Verdict;
use crate::wait;

struct Hears(mpsc::UnboundedSender<u64>);

impl Agent for Hears {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("hear", async |me: &Self, note: Note, ()| me.0.send(note.n));
    }
}

/// Bodies that nobody understands, and those beyond the limit, are counted by their kind; the subscription goes on.
pub(crate) async fn bad_bodies_are_counted_and_end_no_subscription(stage: &mut Stage) -> Verdict {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let group = stage.group().agent(move || Hears(sender.clone())).start().await.unwrap();
    let bodies = bad_bodies();
    for body in &bodies {
        stage.publish_raw("note", None, body).await?;
    }
    let huge = vec![b'x'; 2 << 20];
    stage.publish_raw("note", None, &huge).await?;
    stage.publish_raw("note", None, br#"{"n": 1, "more": NaN}"#).await?;
    publish(group.bus(), 2).await;
    for n in [1, 2] {
        assert_eq!(tokio::time::timeout(SOON, heard.recv()).await.unwrap(), Some(n));
    }
    let count = |kind| group.events().count(kind);
    let all = bodies.len() as u64;
    let counted = async || (count(EventKind::BadBody), count(EventKind::BadSize)) == (all, 1);
    wait::until(SOON, "all the bad ones", counted).await;
    assert_eq!((count(EventKind::BadInput), count(EventKind::Repaired)), (all + 1, 1));
    assert_eq!((count(EventKind::Crashed), count(EventKind::Disconnected)), (0, 0));
    group.stop().await;
    Ok(())
}

/// A call of another program whose body nobody understands harms nobody: the next one is answered.
pub(crate) async fn a_bad_call_harms_nobody(stage: &mut Stage) -> Verdict {
    let group = stage.group().agent(Doubles::at_once).start().await.unwrap();
    for (call, body) in [("1", &b"no json"[..]), ("2", b"{}"), ("3", b"\xff"), ("x".repeat(200).as_str(), b"[]")] {
        stage.publish_raw("ask", Some(call), body).await?;
    }
    let caller = stage.bus();
    assert_eq!(super::calls::ask(&caller, 4).await.unwrap(), 8);
    let counted = async || group.events().count(EventKind::BadInput) >= 3;
    wait::until(Duration::from_secs(5), "the bad ones", counted).await;
    assert_eq!(group.events().count(EventKind::Crashed), 0);
    group.stop().await;
    Ok(())
}

/// A body that is larger than the limit is refused to its sender, and goes nowhere.
pub(crate) async fn what_is_too_large_is_refused_to_its_sender(stage: &mut Stage) -> Verdict {
    let bus = stage.bus();
    let inbox = Inbox::of::<Note>(&bus).await;
    let large = serde_json::json!({"n": "x".repeat(bus.env().limits.max_body.get())});
    let error = bus.dynamic("me", "note", &large).await.unwrap_err();
    assert!(error.to_string().contains("max_body"), "{error}");
    publish(&bus, 1).await;
    inbox.until(1).await;
    assert_eq!(inbox.numbers(), [1]);
    Ok(())
}
