use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use formicary_protocol::{Bytes, Value, encode_answers};
use tokio::time::{Instant, sleep_until};

use super::{RecordingBus, What};
use crate::bus::Bus;
use crate::contract::{
    Address, Answers, Call, CallMode, Capabilities, CloseBus, DescribeBus, Description, Publish, Subscribe,
    SubscriptionId, Unsubscribe,
};
use crate::error::{CallError, SendError};

/// Records, does what scripts say, and passes on what they do not.
pub(super) struct Adapter {
    bus: RecordingBus,
    inner: Bus,
    subscriptions: BTreeMap<SubscriptionId, Arc<str>>,
    closed: bool,
}

impl Adapter {
    pub(super) fn new(bus: RecordingBus, inner: Bus) -> Self {
        Self { bus, inner, subscriptions: BTreeMap::new(), closed: false }
    }

    fn after(&self, delay: Duration, context: &mut Context<Self>, then: impl FnOnce(&mut Self) + 'static) {
        let at = crate::clock::after(delay);
        context.spawn(sleep_until(at).into_actor(self).map(move |(), adapter, _| then(adapter)));
    }
}

impl Actor for Adapter {
    type Context = Context<Self>;
}

impl Handler<Publish> for Adapter {
    type Result = ();

    fn handle(&mut self, publish: Publish, context: &mut Context<Self>) {
        let Address::Signal { signal, sender } = &publish.address else {
            return self.inner.port().put(publish);
        };
        if self.closed {
            let why = What::NotSent("the bus is closed".to_owned());
            self.bus.book().ledger.add(why, signal, sender, &publish.body);
            return self.inner.port().put(publish);
        }
        let (failure, delay) = {
            let mut book = self.bus.book();
            let delay = book.scripts.delay(signal);
            let late = Instant::now().checked_add(delay).is_none_or(|at| at > publish.deadline);
            let failure = book.scripts.next_failure(signal).or_else(|| late.then(too_late));
            let what = failure.as_ref().map_or(What::Sent, |error| What::NotSent(error.to_string()));
            book.ledger.add(what, signal, sender, &publish.body);
            (failure, delay.min(publish.deadline.saturating_duration_since(Instant::now())))
        };
        let then = move |adapter: &mut Self| match failure {
            Some(error) => publish.reply.send(Err(error)),
            None => adapter.inner.port().put(publish),
        };
        match delay {
            // What has no delay keeps its order.
            Duration::ZERO => then(self),
            delay => self.after(delay, context, then),
        }
    }
}

fn too_late() -> SendError {
    SendError::not_sent("the delay that the test has set is longer than its deadline")
}

impl Handler<Call> for Adapter {
    type Result = ();

    fn handle(&mut self, call: Call, context: &mut Context<Self>) {
        let (scripted, delay) = {
            let mut book = self.bus.book();
            (book.scripts.next_answer(&call.signal), book.scripts.delay(&call.signal))
        };
        let answer = scripted.map(|scripted| scripted.run(&call.signal, &call.body));
        let how = match &answer {
            None => "left to whoever listens".to_owned(),
            Some(Ok(answers)) => {
                let answers: Vec<_> = answers.iter().map(Value::to_string).collect();
                format!("answered {}", answers.join(", "))
            }
            Some(Err(error)) => format!("failed: {error}"),
        };
        self.bus.book().ledger.add(What::Called(how), &call.signal, &call.sender, &call.body);
        let Call { signal, deadline, .. } = &call;
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = match delay > left {
            true => Some(Err(CallError::Timeout { signal: signal.to_string(), after: left })),
            false => answer,
        };
        let delay = delay.min(left);
        match answer {
            None if delay.is_zero() => self.inner.port().put(call),
            None => self.after(delay, context, |adapter| adapter.inner.port().put(call)),
            Some(answer) => drop(context.spawn(answered(call, answer, delay).into_actor(self))),
        }
    }
}

/// Answers as agents would: one by one, and a stream ends at its deadline.
fn answered(call: Call, answer: Result<Vec<Value>, CallError>, delay: Duration) -> impl Future<Output = ()> {
    let at = (!delay.is_zero()).then(|| crate::clock::after(delay));
    async move {
        if let Some(at) = at {
            sleep_until(at).await;
        }
        let Call { deadline, mode, permit, .. } = call;
        let answers = match answer {
            Ok(answers) => answers.iter().enumerate().map(|(at, answer)| body_of(answer, at)).collect(),
            Err(error) => vec![Err(error)],
        };
        match mode {
            // Of several the first, as on every bus; of none, none.
            CallMode::First(reply) => match answers.into_iter().next() {
                Some(answer) => reply.send(answer),
                None => {
                    sleep_until(deadline).await;
                    reply.send(Err(CallError::Timeout { signal: call.signal.to_string(), after: Duration::ZERO }));
                }
            },
            CallMode::All(stream) => {
                for answer in answers {
                    if stream.send(answer).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    biased;
                    () = stream.closed() => {}
                    () = sleep_until(deadline) => {}
                }
            }
        }
        drop(permit);
    }
}

fn body_of(answer: &Value, at: usize) -> Result<Answers, CallError> {
    let body: Bytes = encode_answers([("Script.answer", answer)]).unwrap_or_default();
    Ok(Answers { responder: format!("script {}", at + 1).into(), body, failures: None })
}

impl Handler<Subscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut Context<Self>) {
        self.bus.book().ledger.add(What::Subscribed, &subscribe.signal, &"".into(), &Bytes::new());
        self.subscriptions.insert(subscribe.id, subscribe.signal.clone());
        self.inner.port().put(subscribe);
    }
}

impl Handler<Unsubscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, unsubscribe: Unsubscribe, _: &mut Context<Self>) {
        if let Some(signal) = self.subscriptions.remove(&unsubscribe.id) {
            self.bus.book().ledger.add(What::Unsubscribed, &signal, &"".into(), &Bytes::new());
        }
        self.inner.port().put(unsubscribe);
    }
}

impl Handler<DescribeBus> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBus, _: &mut Context<Self>) {
        let capabilities = Capabilities { ordered: true, receiver_counts: true, ..Capabilities::default() };
        let mut description = Description::new("recording", "memory://".to_owned(), capabilities);
        description.connection = self.inner.connection();
        describe.0.send(description);
    }
}

impl Handler<CloseBus> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBus, _: &mut Context<Self>) {
        self.closed = true;
        self.inner.port().put(close);
    }
}
