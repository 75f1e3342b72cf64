use std::marker::PhantomData;
use std::sync::Arc;

use formicary_protocol::{Queue, encode};

use super::recording::Book;
use super::{Extract, Needs, Recorder};
use crate::agent::Invocation;
use crate::broker::Broker;
use crate::contract::{Outgoing, SendOptions};
use crate::error::Error;

/// Sends messages to one queue.
///
/// It is an extractor: a handler that sends says so in its signature.
pub struct Push<Q> {
    way: Way,
    of: PhantomData<fn(Q)>,
}

#[derive(Clone)]
enum Way {
    Broker { broker: Broker, queue: Arc<str> },
    Book(Arc<Book>),
}

impl<Q: Queue> Push<Q> {
    /// Sends a message; returns when the broker has it.
    ///
    /// # Errors
    /// [`crate::SendError::NotSent`] or [`crate::SendError::Unknown`] within 5 s.
    ///
    /// # Cancel safety
    /// Dropping the future after its first poll does not take the message back.
    pub async fn send(&self, message: &Q::Message) -> Result<(), Error> {
        self.send_with(message, SendOptions::default()).await
    }

    /// Sends a message with a topic, to the exchange of the queue: every queue of it whose topics match gets one. Without a topic, as
    /// by [`Push::send`], the queue's own name is the topic. An exchange whose queues have no topics gives all to all.
    ///
    /// # Errors
    /// As [`Push::send`]; [`crate::SendError::NotSent`] also when no queue takes the topic, or when the queue has no exchange.
    ///
    /// # Cancel safety
    /// As [`Push::send`].
    pub async fn send_to(&self, topic: &str, message: &Q::Message) -> Result<(), Error> {
        let options = SendOptions { topic: Some(topic.to_owned()), ..SendOptions::default() };
        self.send_with(message, options).await
    }

    /// Sends a message with options.
    ///
    /// # Errors
    /// As [`Push::send`]; also when the broker lacks an option.
    pub async fn send_with(&self, message: &Q::Message, options: SendOptions) -> Result<(), Error> {
        match &self.way {
            Way::Broker { broker, queue } => {
                let outgoing = Outgoing { queue: queue.clone(), body: encode(message)?, options };
                Ok(broker.send_outgoing(outgoing).await?)
            }
            Way::Book(book) => book.record(message).map_err(|error| Error::Settings(format!("`{}`: {error}", Q::NAME))),
        }
    }

    /// A twin that records what is sent, for tests that call a handler as a plain method.
    pub fn recording() -> (Self, Recorder<Q::Message>) {
        let (recorder, book) = Recorder::new();
        (Self { way: Way::Book(book), of: PhantomData }, recorder)
    }
}

impl<Q> Clone for Push<Q> {
    fn clone(&self) -> Self {
        Self { way: self.way.clone(), of: PhantomData }
    }
}

impl<Q: Queue> std::fmt::Debug for Push<Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Push<{}>", Q::NAME)
    }
}

impl<Q: Queue> Extract for Push<Q> {
    fn needs(needs: &mut Needs) {
        needs.pushes::<Q>();
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        let broker = invocation.shared().brokers.of(Q::NAME).ok_or(Error::Closed("the broker"))?.clone();
        Ok(Self { way: Way::Broker { broker, queue: Q::NAME.into() }, of: PhantomData })
    }
}
