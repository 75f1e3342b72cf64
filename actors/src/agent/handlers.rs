//! From a user's async closure to a handler that the shell can run.

use std::rc::Rc;

use formicary_protocol::{FieldKind, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::Access;
use super::decode::{decode_message, decode_payload, decode_value};
use super::extract::Extract;
use super::plan::{ReadMessage, ReadSignal, Ready, Task};
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

/// The payload of a receiver of several signals: which one came, and its arguments as a value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SignalValue {
    /// The signal's name.
    pub signal: String,
    /// Its arguments, a JSON object.
    pub arguments: Value,
}

fn answer_value<T: Serialize>(answer: &T) -> Result<Value, HandlerError> {
    Ok(serde_json::to_value(answer)?)
}

/// Makes the erased form of a handler out of a closure that takes `&A` or `&mut A`.
macro_rules! ready {
    ($run:ident, $variant:ident, $payload:expr, $extractors:ty, |$out:ident| $answer:expr) => {{
        let run = Rc::clone(&$run);
        let payload = $payload;
        let ready: Ready<A, _> = Box::new(move |access, invocation| {
            Box::pin(async move {
                let Access::$variant(agent) = access else {
                    return Err(HandlerError::from("the handler was given the wrong turn"));
                };
                let extractors = <$extractors>::extract(invocation)?;
                let $out = (*run)(agent, payload, extractors).await.into_answer()?;
                $answer
            })
        });
        ready
    }};
}

macro_rules! erase {
    ($variant:ident, $borrow:ty, $signal:ident, $several:ident, $message:ident, $task:ident) => {
        pub(crate) fn $signal<A, S, X, R, F>(run: F) -> ReadSignal<A>
        where
            A: 'static,
            S: DeserializeOwned + 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, S, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |shared, arriving| {
                let payload: S = decode_payload(shared, &arriving.signal, &arriving.body)?;
                Ok(ready!(run, $variant, payload, X, |out| answer_value(&out)))
            })
        }

        pub(crate) fn $several<A, X, R, F>(run: F) -> ReadSignal<A>
        where
            A: 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, SignalValue, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |shared, arriving| {
                let arguments = decode_value(shared, &arriving.signal, &arriving.body)?;
                let payload = SignalValue { signal: arriving.signal.to_string(), arguments };
                Ok(ready!(run, $variant, payload, X, |out| answer_value(&out)))
            })
        }

        pub(crate) fn $message<A, P, X, R, F>(queue: &'static str, run: F) -> ReadMessage<A>
        where
            A: 'static,
            P: DeserializeOwned + 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, P, X) -> R + 'static,
        {
            let run = Rc::new(run);
            Box::new(move |shared, body| {
                let payload: P = decode_message(shared, queue, body)?;
                Ok(ready!(run, $variant, payload, X, |out| {
                    drop(out);
                    Ok(())
                }))
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
            Box::new(move || {
                let run = Rc::clone(&run);
                Box::new(move |access, invocation| {
                    Box::pin(async move {
                        let Access::$variant(agent) = access else {
                            return Err(HandlerError::from("the handler was given the wrong turn"));
                        };
                        let extractors = X::extract(invocation)?;
                        (*run)(agent, extractors).await.into_answer().map(drop)
                    })
                })
            })
        }
    };
}

erase!(Read, &A, read_signal, read_several, read_message, read_task);
erase!(Write, &mut A, write_signal, write_several, write_message, write_task);

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
