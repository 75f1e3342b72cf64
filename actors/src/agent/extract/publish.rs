use std::marker::PhantomData;
use std::sync::Arc;

use formicary_protocol::{Signal, encode_signal};

use super::recording::Book;
use super::{Extract, Needs, Recorder};
use crate::agent::Invocation;
use crate::agent::invocation::Held;
use crate::bus::Bus;
use crate::error::Error;

/// Publishes one kind of signal, in the name of its agent.
///
/// It is an extractor: a handler that publishes says so in its signature.
pub struct Publish<S> {
    way: Way,
    of: PhantomData<fn(S)>,
}

#[derive(Clone)]
enum Way {
    Bus { bus: Bus, signal: Arc<str>, sender: Arc<str>, scope: Held },
    Book(Arc<Book>),
}

impl<S: Signal> Publish<S> {
    /// Publishes a signal. Returns the number of receivers where the bus knows it.
    ///
    /// # Errors
    /// When the server cannot be reached within 5 s, or within what the handler has left.
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll does not take the signal back.
    pub async fn send(&self, signal: &S) -> Result<Option<u64>, Error> {
        match &self.way {
            Way::Bus { bus, signal: name, sender, scope } => {
                let latest = bus.send_deadline();
                let deadline = scope.deadline().map_or(latest, |deadline| deadline.min(latest));
                Ok(bus.publish_body(name.clone(), sender.clone(), encode_signal(signal)?, deadline).await?)
            }
            Way::Book(book) => {
                book.record(signal).map_err(|error| Error::Settings(format!("`{}`: {error}", S::NAME)))?;
                Ok(None)
            }
        }
    }

    /// A twin that records what is sent, for tests that call a handler as a plain method.
    pub fn recording() -> (Self, Recorder<S>) {
        let (recorder, book) = Recorder::new();
        (Self { way: Way::Book(book), of: PhantomData }, recorder)
    }
}

impl<S> Clone for Publish<S> {
    fn clone(&self) -> Self {
        Self { way: self.way.clone(), of: PhantomData }
    }
}

impl<S: Signal> std::fmt::Debug for Publish<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publish<{}>", S::NAME)
    }
}

impl<S: Signal> Extract for Publish<S> {
    fn needs(needs: &mut Needs) {
        needs.publishes::<S>();
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        let shared = invocation.shared();
        let bus = shared.buses.of(S::NAME).ok_or(Error::Closed("the bus"))?.clone();
        let sender = shared.agent.clone();
        let way = Way::Bus { bus, signal: S::NAME.into(), sender, scope: invocation.scope.clone() };
        Ok(Self { way, of: PhantomData })
    }
}
