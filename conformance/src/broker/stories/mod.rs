//! Stories: each is told by an adapter, in words, and held against the words that are written down in `told/`. So all
//! adapters answer alike, doubles and servers, and none errs in the same way as another.

pub(crate) mod atomic;
pub(crate) mod letters;
pub(crate) mod outcomes;
pub(crate) mod queues;

use formicary_actors::broker::Broker;
use formicary_actors::contract::{Counts, Delivered, SettleError};
use formicary_actors::events::EventKind;
use formicary_protocol::Failure;

/// What a story says. Ids and times are left out.
pub(crate) type Told = Vec<String>;

/// Makes a case out of each story, in a module `told`. One may need capabilities, or promises; those who lack them leave
/// it out.
macro_rules! stories {
    ($($name:ident $(can $capability:ident)? $(promises $promise:ident)?,)+) => {
        pub(crate) mod told {
            use crate::broker::stage::Stage;
            use crate::left_out::Verdict;

            $(
                pub(crate) async fn $name(stage: &mut Stage) -> Verdict {
                    $(stage.can(stringify!($capability), |can| can.$capability).await?;)?
                    $(stage.promises(stringify!($promise), |promises| promises.$promise)?;)?
                    let written = include_str!(concat!("told/", stringify!($name), ".txt"));
                    let told = super::$name(stage).await;
                    crate::broker::stories::held_against(stringify!($name), written, &told);
                    Ok(())
                }
            )+
        }
    };
}

pub(crate) use stories;

/// `TELL_ANEW=1` writes the words down, for whoever changes a story in this crate's own folder.
fn held_against(story: &str, written: &str, told: &Told) {
    let told = told.join("\n") + "\n";
    if std::env::var_os("TELL_ANEW").is_some() {
        let file = format!("{}/src/broker/stories/told/{story}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(file, told).unwrap();
        return;
    }
    assert_eq!(told, written, "what is told, and what is written in told/{story}.txt");
}

/// A delivery in words.
pub(crate) fn say(delivered: &Delivered) -> String {
    let history: Vec<_> = delivered.history.iter().map(|failure| &*failure.error).collect();
    format!("{:?} attempt {} after {history:?}", delivered.body, delivered.attempt)
}

pub(crate) fn failure(error: &str) -> Option<Failure> {
    Some(Failure::new(7, "agent", "handler", error))
}

/// What a queue holds, in words. Asked of the adapter that has sent it and has it in hand, which knows that much even where
/// counts are not full. What was settled with an answer is counted.
async fn counts(broker: &Broker, queue: &str) -> String {
    let Counts { waiting, in_flight, delayed, dead, .. } = broker.inspect(queue).await.unwrap();
    format!("{queue}: {waiting} wait, {in_flight} in flight, {delayed} delayed, {dead} dead")
}

/// How often each thing happened that happened.
fn happened(broker: &Broker) -> String {
    let kinds = [
        EventKind::Queued,
        EventKind::Consumed,
        EventKind::Retried,
        EventKind::DeadLettered,
        EventKind::Returned,
        EventKind::Deduplicated,
        EventKind::LateSettlement,
    ];
    let events = &broker.env().events;
    kinds.map(|kind| format!("{} {}", kind.word(), events.count(kind))).join(", ")
}

/// How a settlement ended, without its tokens.
fn ended(ended: Result<(), SettleError>) -> String {
    match ended {
        Ok(()) => "applied".to_owned(),
        Err(error) => error.to_string(),
    }
}
