//! Whoever sends or settles may be gone in the same moment.

use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;

use actix::Arbiter;
use formicary_actors::block_on;
use formicary_actors::contract::{Outcome, Settlement};
use formicary_actors::events::EventKind;
use serde_json::json;

use super::stage::Stage;
use super::taker::{SOON, Taker, number, send};
use crate::left_out::Verdict;
use crate::wait::until;

const ROUNDS: u64 = 20;

/// Polls a future once on an arbiter that is stopped right after, and waits for the end of its thread.
fn on_a_dying_arbiter<F: Future + 'static>(begin: impl FnOnce() -> F + Send + 'static) {
    let arbiter = Arbiter::new();
    let handle = arbiter.handle();
    arbiter.spawn_fn(move || {
        let mut context = Context::from_waker(Waker::noop());
        drop(pin!(begin()).poll(&mut context));
        handle.stop();
    });
    arbiter.join().unwrap();
}

/// A message arrives when the arbiter of its sender is stopped right after the first poll.
pub(crate) async fn what_a_dying_arbiter_sent_arrives(stage: &mut Stage) -> Verdict {
    stage.real_time();
    let broker = stage.broker();
    let taker = Taker::of(&broker, "mailer", 32).await;
    for n in 0..ROUNDS {
        let broker = broker.clone();
        on_a_dying_arbiter(move || async move { broker.dynamic("mailer", &json!(n)).await });
    }
    let mut got: Vec<_> = taker.next(ROUNDS as usize).await.iter().map(number).collect();
    got.sort_unstable();
    assert_eq!(got, (0..ROUNDS).collect::<Vec<_>>());
    Ok(())
}

/// A settlement is applied when the arbiter on which it was made is stopped right after.
pub(crate) async fn what_a_dying_arbiter_settled_is_applied(stage: &mut Stage) -> Verdict {
    stage.real_time();
    let broker = stage.broker();
    send(&broker, "mailer", 0..3).await;
    let taker = std::sync::Arc::new(Taker::of(&broker, "mailer", 8).await);
    for one in taker.next(3).await {
        let taker = taker.clone();
        on_a_dying_arbiter(move || async move { taker.settle(Settlement::new(one.token, Outcome::Ack)).await });
    }
    let events = &broker.env().events;
    until(SOON, "the acknowledgements", async || events.count(EventKind::Consumed) == 3).await;
    assert_eq!(broker.inspect("mailer").await.unwrap().left(), 0);
    Ok(())
}

/// Messages are sent, settled and counted on plain tokio and on a thread without a runtime.
pub(crate) async fn every_kind_of_thread_can_send(stage: &mut Stage) -> Verdict {
    stage.real_time();
    let broker = stage.broker();
    let taker = std::sync::Arc::new(Taker::of(&broker, "mailer", 8).await);
    let send = {
        let (broker, taker) = (broker.clone(), taker.clone());
        async move |n: u64| {
            broker.dynamic("mailer", &json!(n)).await.unwrap();
            while taker.held() == 0 {
                thread::yield_now();
            }
            for one in taker.all() {
                taker.settle(Settlement::new(one.token, Outcome::Ack)).await.unwrap();
            }
            assert_eq!(broker.inspect("mailer").await.unwrap().dead, 0);
        }
    };
    let on_tokio = send.clone();
    let tokio = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(on_tokio(1));
    });
    until(SOON, "plain tokio", async || tokio.is_finished()).await;
    tokio.join().unwrap();
    let bare = thread::spawn(move || block_on(send(2)));
    until(SOON, "a thread without a runtime", async || bare.is_finished()).await;
    bare.join().unwrap();
    assert_eq!(broker.inspect("mailer").await.unwrap().left(), 0);
    Ok(())
}
