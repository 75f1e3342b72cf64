//! The same demands for blocking handlers: what goes to the pool, and the answer that comes back, is `Send`.

use serde::de::DeserializeOwned;

use crate::{Extract, IntoAnswer, Signal};

/// `T` is the payload of a blocking receiver.
#[diagnostic::on_unimplemented(
    message = "a blocking receiver cannot take `{T}`: its payload must be a signal, and `Send`, since it goes to another thread",
    label = "not a signal, or not `Send`"
)]
pub trait BlockingSignal<T> {
    /// `T`.
    type It: Signal + Send;
    /// The value again.
    fn give(it: Self::It) -> T;
    /// The value again, to look at.
    fn look(it: &Self::It) -> &T;
}

#[diagnostic::do_not_recommend]
impl<T: Signal + Send> BlockingSignal<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
    fn look(it: &T) -> &T {
        it
    }
}

/// `T` is what a blocking consumer decodes a message into.
#[diagnostic::on_unimplemented(
    message = "a blocking consumer cannot take `{T}`: it must be `Deserialize`, and `Send`, since it goes to another thread",
    label = "not decodable, or not `Send`"
)]
pub trait BlockingMessage<T> {
    /// `T`.
    type It: DeserializeOwned + Send + 'static;
    /// The value again.
    fn give(it: Self::It) -> T;
    /// The value again, to look at.
    fn look(it: &Self::It) -> &T;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Send + 'static> BlockingMessage<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
    fn look(it: &T) -> &T {
        it
    }
}

/// `T` is extracted for a blocking handler.
#[diagnostic::on_unimplemented(
    message = "a blocking handler cannot take `{T}`: it must be an extractor, and `Send`, since it goes to another thread",
    label = "not an extractor, or not `Send`"
)]
pub trait BlockingArgument<T> {
    /// `T`.
    type It: Extract + Send;
    /// The value again.
    fn give(it: Self::It) -> T;
}

#[diagnostic::do_not_recommend]
impl<T: Extract + Send> BlockingArgument<T> for () {
    type It = T;
    fn give(it: T) -> T {
        it
    }
}

/// `T` is what a blocking receiver returns.
#[diagnostic::on_unimplemented(
    message = "a blocking receiver cannot return `{T}`: its value must be `Serialize` and `Send`, and its error an `Error`",
    label = "return `Result<T>` with a `T` that is `Send`, or nothing"
)]
pub trait BlockingReturned<T> {
    /// `T`.
    type It: IntoAnswer<Answer: Send>;
    /// The value again.
    fn take(it: T) -> Self::It;
}

#[diagnostic::do_not_recommend]
impl<T: IntoAnswer<Answer: Send>> BlockingReturned<T> for () {
    type It = T;
    fn take(it: T) -> T {
        it
    }
}
