//! An agent of every kind of handler, and what panics say.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, Call, Delivery, Publish, Push, SentBy};
use formicary_actors::testing::{Harness, HarnessBuilder};
use futures_util::FutureExt;

pub use formicary_test_support::cast::*;

#[derive(Default)]
pub struct Worker {
    pub seen: Vec<String>,
}

impl Agent for Worker {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("hear", async |me: &mut Self, ping: Ping, from: SentBy| {
            me.seen.push(format!("{} of {from}", ping.n));
            match ping.n {
                13 => Err("unlucky"),
                66 => panic!("the devil"),
                _ => Ok(()),
            }
        });
        agent.receiver("forward", async |_: &Self, pong: Pong, pings: Publish<Ping>| {
            pings.send(&Ping { n: pong.n }).await.map(drop)
        });
        agent.receiver("count", async |_: &Self, _: Pong, ()| -> Result<u64, HandlerError> { Ok(7) });
        agent.receiver("next", async |_: &Self, ask: Ask, ()| match ask.n {
            0 => Err(HandlerError::from("nought")),
            n => Ok(n + 1),
        });
        agent.consumer_mut::<Job, _, _, _, _>("work", async |me: &mut Self, job: Job, delivery: Delivery| {
            me.seen.push(format!("job {} attempt {} {}", job.n, delivery.attempt(), delivery.history().len()));
            match job.n {
                13 => Err("unlucky")?,
                66 => panic!("the devil's job"),
                2 => delivery.dead(),
                3 => delivery.retry(Duration::from_secs(90)),
                4 => tokio::time::sleep(Duration::from_secs(600)).await,
                _ => {}
            }
            Ok::<_, HandlerError>(())
        });
        agent.periodic_mut("refresh", Duration::from_secs(15), async |me: &mut Self, (asks, jobs): Outputs| {
            let n = asks.first(&Ask { n: 1 }).await?;
            me.seen.push(format!("refreshed {n}"));
            jobs.send(&Job { n }).await?;
            Ok::<_, HandlerError>(())
        });
        agent.cron("report", "0 8 * * *", "UTC", async |_: &Self, ()| Err::<(), _>("nothing to report"));
        agent.periodic("explode", Duration::from_secs(3_600), async |_: &Self, ()| -> Result<(), HandlerError> {
            panic!("boom")
        });
    }
}

type Outputs = (Call<Ask>, Push<Job>);

/// A worker that is about to start, on a paused clock.
pub fn worker() -> HarnessBuilder<Worker> {
    tokio::time::pause();
    another_worker()
}

/// The same when the clock is paused already.
pub fn another_worker() -> HarnessBuilder<Worker> {
    Harness::of(Worker::default).declarations(declarations())
}

/// The text of the panic that ends a future.
pub async fn panic_of<T>(future: impl Future<Output = T>) -> String {
    text(AssertUnwindSafe(future).catch_unwind().await)
}

/// The text of the panic that ends a function.
pub fn panic_in<T>(f: impl FnOnce() -> T) -> String {
    text(std::panic::catch_unwind(AssertUnwindSafe(f)))
}

fn text<T>(ended: std::thread::Result<T>) -> String {
    let panic = ended.err().expect("there was no panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("a panic without a text")
}
