//! From a user's closure to the lanes and tasks that the shell can run.

use std::cell::Cell;
use std::rc::Rc;

use formicary_protocol::{Bytes, FieldKind, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::Access;
use super::any_signal::AnySignal;
use super::decode::{DecodeFailure, decode_message, decode_payload, decode_value};
use super::extract::Extract;
use super::invocation::Invocation;
use super::lanes::{ConsumeLane, ReceiveLane};
use super::plan::{OpenConsumer, OpenReceiver, Task};
use super::shared::Shared;
use crate::contract::Arriving;
use crate::error::HandlerError;

/// What a handler may return: nothing, or a `Result` of something that can be encoded and of any error.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not a handler's result",
    note = "return `formicary::Result`, `formicary::Result<T>` with `T: Serialize`, or a `Result<T, E>` of your own error"
)]
pub trait IntoAnswer {
    /// What is answered to a call.
    type Answer: Serialize + 'static;

    /// The answer or the error.
    ///
    /// # Errors
    /// The handler's own.
    fn into_answer(self) -> Result<Self::Answer, HandlerError>;
}

impl IntoAnswer for () {
    type Answer = ();

    fn into_answer(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<T: Serialize + 'static, E: Into<HandlerError>> IntoAnswer for Result<T, E> {
    type Answer = T;

    fn into_answer(self) -> Result<T, HandlerError> {
        self.map_err(Into::into)
    }
}

/// What a receiver's payload is read with.
pub(crate) type Read<S> = fn(&Shared, &Arriving) -> Result<S, DecodeFailure>;

/// Reads the payload of one signal into its type.
pub(crate) fn typed<S: DeserializeOwned>(shared: &Shared, arriving: &Arriving) -> Result<S, DecodeFailure> {
    decode_payload(shared, &arriving.signal, &arriving.body)
}

/// Reads the payload of any signal as a value.
pub(crate) fn valued(shared: &Shared, arriving: &Arriving) -> Result<AnySignal, DecodeFailure> {
    let arguments = decode_value(shared, &arriving.signal, &arriving.body)?;
    Ok(AnySignal { signal: arriving.signal.to_string(), arguments })
}

/// An answer as a value; a handler that did not run, since a layer left it out, answers null.
pub(crate) fn answer_value<T: Serialize>(answer: Option<T>) -> Result<Value, HandlerError> {
    Ok(serde_json::to_value(answer)?)
}

/// Reads the message that is given up once more: its handler had the first one.
fn given_up<P: DeserializeOwned + 'static>(queue: &str, run: &Invocation) -> Result<P, HandlerError> {
    let state = run.delivery.as_ref().ok_or("there is no message that is given up")?;
    decode_message(run.shared(), queue, &state.delivered.body).map_err(|bad| HandlerError::from(bad.reason))
}

macro_rules! erase {
    ($variant:ident, $borrow:ty, $receive:ident, $consume:ident, $exhaust:ident, $task:ident, |$instance:ident| $agent:expr) => {
        pub(crate) fn $receive<A, S, X, R, F>(read: Read<S>, run: F) -> OpenReceiver<A>
        where
            A: 'static,
            S: 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, S, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |$instance, receiver| {
                let run = run.clone();
                Box::pin(async move {
                    let mut lane = ReceiveLane::open(&$instance, &receiver);
                    while let Some(arrived) = lane.next().await {
                        let Some((payload, ticket)) = lane.read(arrived, read) else { continue };
                        if let Some(begun) = lane.begin(ticket).await {
                            let answer = Cell::new(None);
                            let handler = async {
                                let extractors = X::extract(lane.run())?;
                                answer.set(Some((*run)($agent, payload, extractors).await.into_answer()?));
                                Ok(())
                            };
                            lane.handle(begun, handler, || answer_value(answer.take())).await;
                        }
                        lane.end();
                    }
                })
            })
        }

        pub(crate) fn $consume<A, P, X, R, F>(queue: &'static str, run: F) -> OpenConsumer<A>
        where
            A: 'static,
            P: DeserializeOwned + 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, P, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |$instance, at| {
                let run = run.clone();
                Box::pin(async move {
                    let mut lane = ConsumeLane::open(&$instance, at);
                    while let Some(delivery) = lane.next().await {
                        let read = |shared: &Shared, body: &Bytes| decode_message::<P>(shared, queue, body);
                        let Some((message, delivery)) = lane.read(delivery, read).await else { continue };
                        if let Some(begun) = lane.begin(delivery).await {
                            let handler = async {
                                let extractors = X::extract(lane.run())?;
                                (*run)($agent, message, extractors).await.into_answer().map(drop)
                            };
                            drop(lane.handle(begun, handler).await);
                        }
                        lane.end();
                    }
                })
            })
        }

        pub(crate) fn $exhaust<A, P, X, R, F>(queue: &'static str, run: F) -> Task<A>
        where
            A: 'static,
            P: DeserializeOwned + 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, P, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |access, invocation| {
                let run = run.clone();
                Box::pin(async move {
                    let Access::$variant(agent) = access else {
                        return Err(HandlerError::from("the handler was given the wrong turn"));
                    };
                    let message = given_up::<P>(queue, invocation)?;
                    let extractors = X::extract(invocation)?;
                    (*run)(agent, message, extractors).await.into_answer().map(drop)
                })
            })
        }

        pub(crate) fn $task<A, X, R, F>(run: F) -> Task<A>
        where
            A: 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |access, invocation| {
                let run = run.clone();
                Box::pin(async move {
                    let Access::$variant(agent) = access else {
                        return Err(HandlerError::from("the handler was given the wrong turn"));
                    };
                    let extractors = X::extract(invocation)?;
                    (*run)(agent, extractors).await.into_answer().map(drop)
                })
            })
        }
    };
}

// The turns make sure that these borrows never meet.
erase!(Read, &A, read_signal, read_message, read_exhausted, read_task, |instance| &instance.agent.borrow());
erase!(Write, &mut A, write_signal, write_message, write_exhausted, write_task, |instance| &mut instance
    .agent
    .borrow_mut());
/// The kind of a handler's answer, as far as it is known from its type.
pub(crate) fn answer_kind<T: 'static>() -> FieldKind {
    use std::any::TypeId;

    use formicary_protocol::{FieldType, Number};

    fn same<T: 'static, K: FieldType + 'static>() -> Option<FieldKind> {
        (TypeId::of::<T>() == TypeId::of::<K>()).then(K::kind)
    }
    same::<T, ()>()
        .or_else(same::<T, bool>)
        .or_else(same::<T, u8>)
        .or_else(same::<T, u16>)
        .or_else(same::<T, u32>)
        .or_else(same::<T, u64>)
        .or_else(same::<T, usize>)
        .or_else(same::<T, i8>)
        .or_else(same::<T, i16>)
        .or_else(same::<T, i32>)
        .or_else(same::<T, i64>)
        .or_else(same::<T, isize>)
        .or_else(same::<T, f32>)
        .or_else(same::<T, f64>)
        .or_else(same::<T, Number>)
        .or_else(same::<T, String>)
        .or_else(same::<T, Option<u64>>)
        .or_else(same::<T, Option<String>>)
        .unwrap_or(FieldKind::Any)
}
