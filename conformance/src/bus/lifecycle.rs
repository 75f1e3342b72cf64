//! The beginning and the end of a bus.

use formicary_actors::contract::ConnectionState;
use formicary_actors::{CallError, Error, SendError};
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::calls::ask;
use super::cast::{Doubles, Note};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, publish, slack};
use crate::left_out::{LeftOut, Verdict};

/// A bus is made without a word to its server: at an address that takes a connection and says nothing, it is there at
/// once and tells what it is.
pub(crate) async fn it_is_made_without_a_word_to_its_server(stage: &mut Stage) -> Verdict {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let config = stage.place.bus_at(silent.local_addr().unwrap());
    let config = config.ok_or_else(|| LeftOut("its place has no `bus_at`".into()))?;
    let begun = Instant::now();
    let bus = config.start(stage.env()).unwrap();
    assert!(begun.elapsed() < slack(), "{:?}", begun.elapsed());
    let description = timeout(SOON, bus.describe()).await.unwrap().unwrap();
    assert!(!matches!(description.connection, ConnectionState::Up), "{description:?}");
    assert_eq!(bus.connection(), description.connection);
    Ok(())
}

/// `subscribe` returns when the subscription is live: what anybody publishes then is heard, round after round.
pub(crate) async fn subscribed_means_heard(stage: &mut Stage) -> Verdict {
    let (here, there) = (stage.bus(), stage.bus());
    publish(&here, 0).await;
    for n in 0..100 {
        let (inbox, id) = Inbox::with_id::<Note>(&there).await;
        publish(&here, n).await;
        inbox.until_number(n).await;
        there.unsubscribe(id).await;
    }
    Ok(())
}

/// A bus that is closed says so to whoever still uses it, and hears nothing any more.
pub(crate) async fn a_closed_bus_says_so(stage: &mut Stage) -> Verdict {
    let (bus, other) = (stage.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&bus).await;
    stage.close(&bus).await;
    assert_eq!(bus.connection(), ConnectionState::Closed);
    let error = bus.publish("me", &Note { n: 1 }).await.unwrap_err();
    assert!(matches!(error, Error::Send(SendError::NotSent { .. })) && error.to_string().contains("closed"), "{error}");
    let error = ask(&bus, 1).await.unwrap_err();
    assert!(matches!(error, CallError::Disconnected { .. }) && error.to_string().contains("closed"), "{error}");
    let error = bus.subscribe("note", inbox.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Closed(_)), "{error}");
    publish(&other, 2).await;
    assert_eq!(inbox.len(), 0);
    Ok(())
}

/// Closing twice, one after the other and at once, is fine.
pub(crate) async fn closing_twice_is_fine(stage: &mut Stage) -> Verdict {
    let bus = stage.bus();
    let _inbox = Inbox::of::<Note>(&bus).await;
    timeout(SOON, join_all([stage.close(&bus), stage.close(&bus)])).await.unwrap();
    timeout(SOON, stage.close(&bus)).await.unwrap();
    assert_eq!(bus.connection(), ConnectionState::Closed);
    Ok(())
}

/// A close under load ends everything that was under way: what was accepted is heard, what was refused is not, and no
/// caller is left waiting.
pub(crate) async fn a_close_under_load_ends_everything(stage: &mut Stage) -> Verdict {
    const ALL: u64 = 2_000;
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let (bus, other) = (stage.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&other).await;
    let publish = |n| {
        let bus = bus.clone();
        actix_rt::spawn(async move { bus.publish("me", &Note { n }).await })
    };
    let mut sent = Vec::new();
    let mut calls = Vec::new();
    for n in 0..ALL {
        sent.push(publish(n));
        if n % 10 == 0 {
            calls.push(stage.call(&bus, n + 1));
        }
        if n == ALL / 2 {
            inbox.until(ALL as usize / 4).await;
            let bus = bus.clone();
            actix_rt::spawn(async move { bus.close(Instant::now() + SOON).await });
        }
        if n > ALL / 2 {
            tokio::task::yield_now().await;
        }
    }
    let sent = timeout(SOON, join_all(sent)).await.unwrap();
    let (accepted, refused): (Vec<_>, Vec<_>) =
        (0..).zip(sent).partition(|(_, outcome)| outcome.as_ref().unwrap().is_ok());
    for (n, outcome) in &refused {
        let error = outcome.as_ref().unwrap().as_ref().unwrap_err();
        assert!(matches!(error, Error::Send(SendError::NotSent { .. })), "{n}: {error}");
    }
    assert!(!refused.is_empty(), "the close met nothing");
    inbox.until(accepted.len()).await;
    let mut heard = inbox.numbers();
    heard.sort_unstable();
    assert!(heard.into_iter().eq(accepted.iter().map(|(n, _)| *n)));
    for call in timeout(SOON, join_all(calls)).await.unwrap() {
        match call.unwrap() {
            Ok(_) | Err(Error::Call(CallError::Disconnected { .. } | CallError::Remote { .. })) => {}
            Err(other) => panic!("{other}"),
        }
    }
    answers.stop().await;
    Ok(())
}

/// A bus whose last handle is dropped ends, and leaves no subscription behind.
pub(crate) async fn a_bus_that_nobody_holds_ends(stage: &mut Stage) -> Verdict {
    if !stage.capabilities().await.receiver_counts {
        return Err(LeftOut("a publish tells no receivers".into()));
    }
    let (bus, other) = (stage.bus(), stage.bus());
    let _inbox = Inbox::of::<Note>(&bus).await;
    assert_eq!(publish(&other, 1).await, Some(1));
    drop(bus);
    crate::wait::until(SOON, "the end of the subscription", async || publish(&other, 2).await == Some(0)).await;
    Ok(())
}
