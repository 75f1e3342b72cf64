//! Extractors: what a handler asks for in its signature.

mod attempts;
mod call;
mod metadata;
mod needs;
mod outbox;
mod publish;
mod push;
mod recording;
mod tuples;

use std::ops::Deref;
use std::sync::Arc;

pub use attempts::{Exhausted, RetryContext};
pub use call::{Answering, Call};
pub use metadata::Metadata;
pub use needs::Needs;
pub(crate) use needs::{QueueUse, SignalUse};
pub use outbox::Outbox;
pub use publish::Publish;
pub use push::Push;
pub use recording::Recorder;

use super::{Cx, Invocation};
use crate::error::Error;

/// What can stand in a handler's signature behind the payload.
///
/// An extractor says at declaration what it needs, so that a wrong agent is refused at start, and is made anew for each
/// run of the handler. Tuples of extractors are extractors.
///
/// ```
/// use formicary_actors::agent::{Extract, Invocation, Needs};
///
/// /// The name of the agent.
/// struct Me(String);
///
/// impl Extract for Me {
///     fn extract(invocation: &Invocation) -> Result<Self, formicary_actors::Error> {
///         Ok(Me(invocation.cx().agent().to_owned()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor, so a handler cannot ask for it",
    label = "not an extractor",
    note = "arguments after the payload are extractors: SentBy, Delivery, Metadata, RetryContext, Exhausted, &Cx, Publish<S>, Push<Q>, Outbox<Q>, Call<S>, Settings<T>, Tasks, or your own `impl Extract`"
)]
pub trait Extract: Sized + 'static {
    /// Says what the handler will use. The default says nothing.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    /// Makes the value for one run of the handler.
    ///
    /// # Errors
    /// An error fails this run of the handler, as an error of its own would.
    fn extract(invocation: &Invocation) -> Result<Self, Error>;
}

/// Who sent the signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentBy(Arc<str>);

impl SentBy {
    /// For a unit test that calls a handler as a plain method.
    pub fn new(sender: &str) -> Self {
        Self(sender.into())
    }

    /// The sender's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for SentBy {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SentBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Extract for SentBy {
    fn needs(needs: &mut Needs) {
        needs.sender = true;
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        match &invocation.sender {
            Some(sender) => Ok(Self(sender.clone())),
            None => {
                Err(Error::Settings(format!("`{}` has no sender: `SentBy` is for receivers", invocation.handler())))
            }
        }
    }
}

impl Extract for Cx {
    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        Ok(invocation.cx.of_delivery(invocation.delivery.clone()))
    }
}
