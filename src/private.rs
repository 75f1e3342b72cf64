//! For the code that macros write; not part of the public interface.
//!
//! `#[agent]` demands of every type in a handler's signature that it is something, as `where (): Argument<T>`. The traits
//! are implemented for `()`, and not for the type itself, because the compiler then says what the type is not in two lines
//! instead of eight. `It` is the type again: it satisfies the builder where the demand does not hold and was already reported.

#[path = "private/blocking.rs"]
mod blocking;
#[path = "private/policy.rs"]
mod policy;

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{Declarations, Extract, IntoAnswer, Item, Layer, Queue, Signal};

pub use blocking::{BlockingArgument, BlockingMessage, BlockingReturned, BlockingSignal};
pub use formicary_protocol::__field_kind as field_kind;
pub use formicary_protocol::{Field, FieldKind};
pub use policy::{Judge, Key, Sieve};
pub use {serde, serde_json};

/// By which `#[agent]` looks for the handlers of `A`.
#[derive(Debug)]
pub struct Probe<A>(PhantomData<A>);

impl<A> Probe<A> {
    /// A probe.
    #[allow(clippy::new_without_default, reason = "only macros make one")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

/// `T` is the payload of a receiver.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not a signal: take a type of `declare!`, as `signals::UserComment`, or derive `Signal`",
    label = "not a signal"
)]
pub trait SignalPayload<T> {
    /// `T`.
    type It: Signal;
    /// The value again.
    fn give(it: Self::It) -> T;
    /// The value again, to look at.
    fn look(it: &Self::It) -> &T;
}

#[diagnostic::do_not_recommend]
impl<T: Signal> SignalPayload<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
    fn look(it: &T) -> &T {
        it
    }
}

/// `T` stands for a queue.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not a queue: name one of `declare!`, as `queues::Mailer`, or derive `Queue`",
    label = "not a queue"
)]
pub trait QueueName<T> {
    /// `T`.
    type It: Queue;
}

#[diagnostic::do_not_recommend]
impl<T: Queue> QueueName<T> for () {
    type It = T;
}

/// `T` is what a consumer decodes a message into.
#[diagnostic::on_unimplemented(
    message = "a message cannot be decoded into `{T}`: derive `serde::Deserialize` for it",
    label = "not decodable"
)]
pub trait QueuePayload<T> {
    /// `T`.
    type It: DeserializeOwned + 'static;
    /// The value again.
    fn give(it: Self::It) -> T;
    /// The batch again.
    fn give_all(it: Vec<Item<Self::It>>) -> Vec<Item<T>>;
    /// The value again, to look at.
    fn look(it: &Self::It) -> &T;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> QueuePayload<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
    fn give_all(it: Vec<Item<T>>) -> Vec<Item<T>> {
        it
    }
    fn look(it: &T) -> &T {
        it
    }
}

/// `T` is extracted.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not an extractor: take SentBy, Delivery, &Cx, Publish, Push, Call, Outbox, Settings, Tasks, or implement `Extract`",
    label = "not an extractor"
)]
pub trait Argument<T> {
    /// `T`.
    type It: Extract;
    /// The value again.
    fn give(it: Self::It) -> T;
}

#[diagnostic::do_not_recommend]
impl<T: Extract> Argument<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
}

/// `T` is what a handler returns.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{T}`: its value must be `Serialize`, and its error an `Error`",
    label = "return `Result<T>`, or nothing"
)]
pub trait Returned<T> {
    /// `T`.
    type It: IntoAnswer;
    /// The value again.
    fn take(it: T) -> Self::It;
}

#[diagnostic::do_not_recommend]
impl<T: IntoAnswer> Returned<T> for () {
    type It = T;
    fn take(it: T) -> T {
        it
    }
}

/// `T` is a layer.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not a layer: make one with `formicary::layer(async |run, next| next.run().await)`, or implement `Layer`",
    label = "not a layer"
)]
pub trait IsLayer<T> {
    /// `T`.
    type It: Layer;
    /// The value again.
    fn give(it: T) -> Self::It;
}

#[diagnostic::do_not_recommend]
impl<T: Layer> IsLayer<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
}

/// The declarations of a document that `declare!` has read without a mistake.
#[must_use]
pub fn declarations(text: &str, source: &str) -> Declarations {
    #[allow(clippy::expect_used, reason = "declare! has parsed the very same text")]
    Declarations::parse(text, source).expect("declare! reads only documents without mistakes")
}
