//! Sending from threads that end, and from threads that have no runtime.

use std::pin::pin;
use std::task::{Context, Waker};

use actix_rt::{Arbiter, System};
use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use formicary_actors::{Error, block_on};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

use super::calls::ask;
use super::cast::{Ask, Doubles, Note};
use super::inbox::Inbox;
use super::stage::{SOON, Stage, publish, up};
use crate::left_out::Verdict;
use crate::wait;

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

/// A signal and a call arrive when the arbiter of their sender is stopped right after their first poll.
pub(crate) async fn what_a_dying_arbiter_sends_arrives(stage: &mut Stage) -> Verdict {
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let (bus, other) = (stage.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&other).await;
    // What has to wait for its connection goes out only for a sender that still waits.
    up(&bus).await;
    for n in 0..ROUNDS {
        let here = bus.clone();
        on_a_dying_arbiter(move || async move { here.publish("me", &Note { n }).await });
        let here = bus.clone();
        on_a_dying_arbiter(move || async move { here.call("me", &Ask { n }).await });
    }
    inbox.until(ROUNDS as usize).await;
    let asked = async || answers.events().count(EventKind::RequestReceived) == ROUNDS;
    wait::until(SOON, "all calls", asked).await;
    answers.stop().await;
    Ok(())
}

/// A subscription becomes live when the arbiter on which it was asked for is stopped right after.
pub(crate) async fn a_subscription_of_a_dying_arbiter_becomes_live(stage: &mut Stage) -> Verdict {
    let (bus, other) = (stage.bus(), stage.bus());
    let inbox = Arc::new(Inbox::default());
    let (here, kept) = (bus.clone(), inbox.clone());
    on_a_dying_arbiter(move || async move { here.subscribe("note", kept).await });
    wait::until(SOON, "a signal", async || {
        publish(&other, 1).await;
        inbox.len() > 0
    })
    .await;
    Ok(())
}

/// Stops the arbiter on which it runs, then answers.
struct Dies;

impl Agent for Dies {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| {
            Arbiter::current().stop();
            Ok::<_, Error>(ask.n)
        });
    }
}

/// The answer of a handler arrives when its arbiter is stopped in the same moment.
pub(crate) async fn an_answer_of_a_dying_arbiter_arrives(stage: &mut Stage) -> Verdict {
    let dies = stage.group().arbiters(std::num::NonZeroUsize::MIN).agent(|| Dies).start().await.unwrap();
    let caller = stage.bus();
    assert_eq!(ask(&caller, 3).await.unwrap(), 3);
    dies.stop_within(Duration::from_secs(2)).await;
    Ok(())
}

/// Signals and calls go out, and their results come back, on plain tokio and on a thread without a runtime.
pub(crate) async fn every_kind_of_thread_can_send(stage: &mut Stage) -> Verdict {
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let (bus, other) = (stage.bus(), stage.bus());
    let inbox = Inbox::of::<Note>(&other).await;
    let send = async move |n: u64| {
        publish(&bus, n).await;
        assert_eq!(ask(&bus, n).await.unwrap(), 2 * n);
        bus.describe().await.unwrap();
    };
    let on_tokio = send.clone();
    on_a_thread(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(on_tokio(1));
    })
    .await;
    on_a_thread(move || block_on(send(2))).await;
    inbox.until(2).await;
    assert_eq!(inbox.numbers(), [1, 2]);
    answers.stop().await;
    Ok(())
}

/// A group is put together on a thread without a runtime, and started later in an actix system of that thread.
pub(crate) async fn it_is_put_together_on_a_thread_without_a_runtime(stage: &mut Stage) -> Verdict {
    let other = stage.bus();
    let inbox = Inbox::of::<Note>(&other).await;
    let group = stage.group_maker();
    on_a_thread(move || {
        let builder = group();
        System::new().block_on(async move {
            let group = builder.start().await.unwrap();
            publish(group.bus(), 5).await;
            group.stop().await;
        });
    })
    .await;
    inbox.until(1).await;
    Ok(())
}

/// Runs this on a thread of its own, while the arbiter of the case goes on.
async fn on_a_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, ended) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(body())));
    ended.await.expect("the thread panicked")
}
