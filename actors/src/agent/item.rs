use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::delivery::Delivery;
use super::delivery_state::DeliveryState;
use crate::error::HandlerError;

/// One message of a batch: its payload, and a way to settle it apart from the others.
///
/// An item that is not settled by hand follows the handler's result: `Ok` acknowledges it; an error, a panic and the end of
/// the timeout fail it. That holds for items that were dropped or taken apart, too.
///
/// ```
/// use formicary_actors::agent::{Agent, AgentBuilder, Item};
/// # use formicary_protocol::{Field, Queue};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Mail { email: String }
/// # struct Mailer;
/// # impl Queue for Mailer {
/// #     const NAME: &'static str = "mailer";
/// #     type Message = Mail;
/// #     fn fields() -> Option<Vec<Field>> { None }
/// # }
/// # async fn smtp(_: &[Item<Mail>]) -> Result<Vec<usize>, std::io::Error> { Ok(Vec::new()) }
///
/// struct Post;
///
/// impl Agent for Post {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.batch_consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mails: Vec<Item<Mail>>, ()| {
///             let refused = smtp(&mails).await?;
///             for (at, mail) in mails.into_iter().enumerate() {
///                 if refused.contains(&at) {
///                     let why = format!("{} was refused", mail.email);
///                     mail.fail(why);
///                 }
///             }
///             Ok::<_, formicary_actors::HandlerError>(())
///         });
///     }
/// }
/// ```
pub struct Item<P> {
    message: P,
    delivery: Delivery,
    verdict: Verdict,
}

/// What the handler says of its items, until it has ended.
#[derive(Clone)]
pub(crate) struct Verdicts(Arc<[OnceLock<Arc<HandlerError>>]>);

struct Verdict {
    of: Verdicts,
    at: usize,
}

impl Verdicts {
    pub(crate) fn new(items: usize) -> Self {
        Self((0..items).map(|_| OnceLock::new()).collect())
    }

    pub(crate) fn get(&self, at: usize) -> Option<Arc<HandlerError>> {
        self.0.get(at)?.get().cloned()
    }
}

impl<P> Item<P> {
    pub(crate) fn new(message: P, state: Arc<DeliveryState>, of: &Verdicts, at: usize) -> Self {
        Self { message, delivery: Delivery::of(state), verdict: Verdict { of: of.clone(), at } }
    }

    /// The payload. What becomes of the message follows the handler's result.
    pub fn into_inner(self) -> P {
        self.message
    }

    /// Its id, its attempt, and what went wrong before.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Acknowledges it now; what the handler returns later changes nothing.
    pub fn ack(self) {
        self.delivery.ack();
    }

    /// Brings it back after a delay, with the next attempt number: see [`Delivery::retry`].
    pub fn retry(self, after: Duration) {
        self.delivery.retry(after);
    }

    /// Puts it into the dead-letter queue now, with the reason `refused`.
    pub fn dead(self) {
        self.delivery.dead();
    }

    /// Fails it: when the handler has ended, whatever it returns, the consumer's policy says whether it is tried again.
    pub fn fail(self, error: impl Into<HandlerError>) {
        if let Some(verdict) = self.verdict.of.0.get(self.verdict.at) {
            // An item is there once, and is gone now.
            verdict.set(Arc::new(error.into())).ok();
        }
    }
}

impl<P> Deref for Item<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.message
    }
}

impl<P: std::fmt::Debug> std::fmt::Debug for Item<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item").field("message", &self.message).field("delivery", &self.delivery).finish_non_exhaustive()
    }
}
