use std::marker::PhantomData;
use std::sync::Arc;

use formicary_protocol::{Queue, encode};

use super::recording::Book;
use super::{Extract, Needs, Recorder};
use crate::agent::Invocation;
use crate::agent::delivery_state::{DeliveryState, Refused};
use crate::contract::{Outgoing, SendOptions};
use crate::error::{Error, SendError};

/// Sends messages to one queue together with the acknowledgement of the message in hand, in one atomic step.
///
/// What it takes is held until the delivery is acknowledged, and written in that same step: if the handler fails, runs
/// out of time or panics, or its process dies, nothing was sent; if it succeeds, all was, once. So a consumer produces
/// without loss, without duplicates and without orphans.
///
/// It is an extractor, for consumers. Both queues must be carried by one broker that can do it; the start refuses the agent
/// otherwise.
pub struct Outbox<Q> {
    way: Way,
    of: PhantomData<fn(Q)>,
}

#[derive(Clone)]
enum Way {
    Delivery { state: Arc<DeliveryState>, queue: Arc<str> },
    Book(Arc<Book>),
}

impl<Q: Queue> Outbox<Q> {
    /// Takes a message, to be sent with the acknowledgement. It is encoded now.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the delivery has as many as it may ([`Limits::outbox`](crate::Limits::outbox), 1,024 by
    /// default); [`SendError::NotSent`] when the body is too large, or when the delivery is settled already.
    pub fn send(&self, message: &Q::Message) -> Result<(), Error> {
        let (state, queue) = match &self.way {
            Way::Delivery { state, queue } => (state, queue),
            Way::Book(book) => {
                return book.record(message).map_err(|error| Error::Settings(format!("`{}`: {error}", Q::NAME)));
            }
        };
        let body = encode(message)?;
        let limits = &state.source.broker.env().limits;
        let (size, most_bytes) = (body.len(), limits.max_body.get());
        if size > most_bytes {
            let reason = format!("its body has {size} bytes; the limit is {most_bytes} (setting max_body)");
            return Err(SendError::not_sent(reason).into());
        }
        let outgoing = Outgoing { queue: queue.clone(), body, options: SendOptions::default() };
        let limit = limits.outbox.get();
        state.hold_outgoing(outgoing, limit).map_err(|refused| match refused {
            Refused::Settled => SendError::not_sent("the delivery is settled already: send before that").into(),
            Refused::Full => Error::TooMany { what: "messages in the outbox of one delivery".to_owned(), limit },
        })
    }

    /// A twin that records what is sent, for tests that call a handler as a plain method.
    pub fn recording() -> (Self, Recorder<Q::Message>) {
        let (recorder, book) = Recorder::new();
        (Self { way: Way::Book(book), of: PhantomData }, recorder)
    }
}

impl<Q> Clone for Outbox<Q> {
    fn clone(&self) -> Self {
        Self { way: self.way.clone(), of: PhantomData }
    }
}

impl<Q: Queue> std::fmt::Debug for Outbox<Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox<{}>", Q::NAME)
    }
}

impl<Q: Queue> Extract for Outbox<Q> {
    fn needs(needs: &mut Needs) {
        needs.outbox::<Q>();
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        match &invocation.delivery {
            Some(state) => {
                Ok(Self { way: Way::Delivery { state: state.clone(), queue: Q::NAME.into() }, of: PhantomData })
            }
            None => {
                Err(Error::Settings(format!("`{}` has no delivery: `Outbox` is for consumers", invocation.handler())))
            }
        }
    }
}
