//! Blocking handlers and layers, in every place where they can stand.
#![deny(warnings)]

use formicary::layers::{LayerFuture, LayerResult};
use formicary::prelude::*;
use formicary::{Invocation, Layer, Next, block_on, layer};

formicary::declare!("signals.json");

#[derive(serde::Deserialize)]
struct Mail {
    text: String,
}

struct Limit(usize);

impl Layer for Limit {
    fn around<'a>(&'a self, run: &'a Invocation, next: Next<'a>) -> LayerFuture<'a> {
        Box::pin(async move { if run.handler().len() > self.0 { Err("too long".into()) } else { next.run().await } })
    }
}

async fn pass(_: &Invocation, next: Next<'_>) -> LayerResult {
    next.run().await
}

/// A name that the written code has too.
fn agent() -> impl Layer {
    Limit(40)
}

#[derive(Default)]
struct Worker;

#[agent(name = "worker", layer = agent(), layer = Self::own())]
impl Worker {
    #[receiver(blocking, rate = 100)]
    fn sum(created: signals::UserCreated, from: SentBy, cx: &Cx, started: Publish<signals::Started>) -> Result<u64> {
        let _ = (cx.agent(), from.as_str());
        block_on(started.send(&signals::Started {}))?;
        Ok(created.user_id)
    }

    #[receiver(signals::Started, signals::UserCreated, blocking)]
    fn log(value: AnySignal) {
        let _ = value.signal;
    }

    #[consumer(queues::Mailer, blocking, timeout = "30s", concurrency = 2, rate = 10)]
    fn deliver(mail: Mail, _delivery: Delivery) -> Result<(), String> {
        if mail.text.is_empty() { Err("no text".to_owned()) } else { Ok(()) }
    }

    #[periodic("1m", blocking, overlap = "allow")]
    fn refresh() {}

    #[cron("@hourly", blocking, timezone = "Europe/Berlin")]
    fn report(_mailer: Push<queues::Mailer>) -> Result {
        Ok(())
    }

    #[consumer(rate = 10, layer = Limit(10), layer = layer(pass))]
    async fn again(&self, _mail: queues::Mailer) {}

    #[on(pre_start, layer = formicary::layer(async |run, next| {
        let outcome = next.run().await;
        let _ = (run.handler(), outcome.is_ok());
        outcome
    }))]
    async fn setup(&mut self) {}

    #[on(post_start, layer = Self::own())]
    async fn started(_me: Handle<Self>) {}

    #[on(pre_stop, layer = { let length = 20; Limit(length) })]
    async fn flush(&self) {}

    #[server(layer = layer(pass))]
    async fn serve(_me: Handle<Self>) -> Result {
        Ok(())
    }

    #[cfg(any())]
    #[periodic("1m", blocking)]
    fn left_out(_: Missing) {}

    fn own() -> impl Layer {
        layer(pass)
    }
}

struct Generic<T>(T);

#[agent(layer = Limit(20))]
impl<T: Send> Generic<T> {
    #[periodic("1m", blocking, layer = Self::own())]
    fn refresh(cx: &Cx) {
        let _ = cx.agent();
    }

    fn own() -> impl Layer {
        Limit(20)
    }
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Worker>();
    is_agent::<Generic<u8>>();
    assert!(declarations().signal("started").is_some());
    let (mailer, _) = Push::<queues::Mailer>::recording();
    assert!(Worker::report(mailer).is_ok());
}
