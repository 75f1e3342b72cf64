//! What Python publishes is understood.

use formicary_actors::events::EventKind;
use formicary_actors::{CallError, Error};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::cast::{Hears, One, RpcOne, RpcTwo};
use super::{Ear, answered, bus, call, group, publish};
use crate::bus::inbox::Inbox;
use crate::bus::stage::{SOON, Stage};
use crate::left_out::Verdict;
use crate::wire::Vector;

/// Python's signals are heard with their names, senders and arguments; what JSON cannot hold is null there, and counted.
pub(crate) async fn what_python_publishes_is_heard(stage: &mut Stage) -> Verdict {
    let vectors = Vector::like("signal_send");
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let captured = &vector.publishes()[0];
        let (sender, mut heard) = mpsc::unbounded_channel();
        let group = group(stage, &captured.prefix()).agent(move || Hears(sender.clone())).start().await.unwrap();
        publish(stage, &captured.channel, &captured.body).await?;
        let (signal, from, arguments) = timeout(SOON, heard.recv()).await.unwrap().unwrap();
        assert_eq!(((&*signal, &*from), arguments), (captured.names(), captured.value()), "{}", vector.name());
        let repaired = u64::from(vector.name() == "signal_send_rich");
        let count = |kind| group.events().count(kind);
        assert_eq!((count(EventKind::Repaired), count(EventKind::BadInput)), (repaired, 0), "{}", vector.name());
        group.stop().await;
    }
    Ok(())
}

/// Python's calls are answered on the channel, with the id and in the words in which Python answers them.
pub(crate) async fn what_python_asks_is_answered_as_python_does(stage: &mut Stage) -> Verdict {
    let mut ear = Ear::at(stage).await?;
    let prefix = Vector::named("rpc_int").publishes()[0].prefix();
    let group = group(stage, &prefix).agent(|| One).start().await.unwrap();
    let mut asked = 0;
    for vector in answered().filter(|vector| vector.publishes().len() == 2) {
        let publishes = vector.publishes();
        publish(stage, &publishes[0].channel, &publishes[0].body).await?;
        vector.holds(&[ear.next().await, ear.next().await]);
        asked += 1;
    }
    assert_eq!((asked, group.events().count(EventKind::BadInput)), (12, 0));
    group.stop().await;
    Ok(())
}

/// Python's answers are taken: the first value that is not null, and none as an answer without a value.
pub(crate) async fn what_python_answers_is_taken(stage: &mut Stage) -> Verdict {
    let mut ear = Ear::at(stage).await?;
    let mut taken = 0;
    for vector in answered() {
        let publishes = vector.publishes();
        let caller = bus(stage, &publishes[0].prefix());
        // A bus may know that nobody listens: the responder in whose place the vector answers.
        let _listeners = (Inbox::of::<RpcOne>(&caller).await, Inbox::of::<RpcTwo>(&caller).await);
        let respond = async {
            let call = ear.next().await;
            let (id, (responder, _)) =
                (call.channel.split_once('#').unwrap().1, publishes[1].channel.split_once('#').unwrap());
            let answer = publish(stage, &format!("{responder}#{id}"), &publishes[1].body).await;
            answer.map(|()| assert_ne!(call.channel, publishes[0].channel, "the id is not ours"))
        };
        let (outcome, responded) = tokio::join!(call(&caller, &publishes[0]), respond);
        responded?;
        // What was answered is on the wire, too.
        ear.next().await;
        match publishes[1].value().as_object().unwrap().values().find(|value| !value.is_null()) {
            Some(answer) => assert_eq!(outcome.unwrap(), *answer, "{}", vector.name()),
            None => {
                let error = outcome.unwrap_err();
                assert!(matches!(error, Error::Call(CallError::Empty { .. })), "{}: {error}", vector.name());
            }
        }
        taken += 1;
    }
    assert_eq!(taken, 13);
    Ok(())
}
