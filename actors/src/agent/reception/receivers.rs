use std::rc::{Rc, Weak};

use super::Reception;
use crate::agent::{AgentBuilder, Extract, Invocation, Needs};
use crate::error::Error;

/// Adds, replaces and ends the agent's receivers while it runs.
///
/// It is an extractor, for all handlers and hooks of the agent but blocking ones. A `Handle` has the same methods for other
/// threads. Changes of one agent are made one after the other, in the order in which they were asked for.
///
/// What was changed stays when the instance crashes or ends and another one follows: handlers take the agent by
/// reference, and the subscriptions never lapse. A stop and a new start of the agent begin with what it declares.
///
/// ```
/// use formicary_actors::Error;
/// use formicary_actors::agent::{Agent, AgentBuilder, Receivers};
/// # use formicary_protocol::{Field, Signal};
/// # macro_rules! signal {
/// #     ($name:ident, $wire:literal) => {
/// #         #[derive(serde::Serialize, serde::Deserialize)]
/// #         struct $name { order: u64 }
/// #         impl Signal for $name {
/// #             const NAME: &'static str = $wire;
/// #             type Answer = ();
/// #             fn fields() -> Vec<Field> { vec![Field::of::<u64>("order")] }
/// #         }
/// #     };
/// # }
/// # signal!(AuditBegins, "audit_begins");
/// # signal!(AuditEnds, "audit_ends");
/// # signal!(Sold, "sold");
///
/// struct Auditor;
///
/// impl Agent for Auditor {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.receiver("begin", async |_: &Self, _: AuditBegins, receivers: Receivers<Self>| {
///             receivers
///                 .receive(|agent| {
///                     agent.receiver("audit", async |_: &Self, sold: Sold, ()| println!("order {}", sold.order));
///                 })
///                 .await
///         });
///         agent.receiver("end", async |_: &Self, _: AuditEnds, receivers: Receivers<Self>| {
///             receivers.unsubscribe("audit").await;
///         });
///     }
/// }
/// ```
pub struct Receivers<A>(Weak<Reception<A>>);

impl<A: 'static> Receivers<A> {
    /// Adds the receivers that a closure declares, and returns when their subscriptions are live. In `pre_start` of the
    /// first instance, before anything is received, they are noted, and live when the agent has started.
    ///
    /// A receiver that has the name of an existing one replaces it, without a gap: runs that have begun, or wait for
    /// their turn, end with the old handler; what waits in the inbox and what comes is taken by the new one. The old
    /// one's runs count as the new one's in its `concurrency`, so handlings keep their order where one kept it alone.
    /// When the new one hears other signals, those are subscribed before the old ones end; what waits and the new one
    /// does not hear is still handled by the old one.
    ///
    /// # Errors
    /// [`Error::Misfit`] with every problem, as at the start, when a receiver does not fit the declarations or the bus,
    /// or when the closure declares anything else than receivers. The bus's error when it cannot subscribe, and
    /// [`Error::Closed`] when the agent stops: then nothing has changed.
    ///
    /// # Cancel safety
    /// A change whose future is dropped after its first poll is still made.
    pub async fn receive(&self, declare: impl FnOnce(&mut AgentBuilder<A>)) -> Result<(), Error> {
        let reception = self.0.upgrade().ok_or(Error::Closed("the agent"))?;
        reception.receive(declare).await.unwrap_or(Err(Error::Closed("the agent")))
    }

    /// Ends a receiver, a declared one too. Nothing enters its inbox after the return; what waits there is still
    /// handled. `false` when the agent has no receiver of that name, or has ended.
    ///
    /// # Cancel safety
    /// A change whose future is dropped after its first poll is still made.
    pub async fn unsubscribe(&self, name: &str) -> bool {
        let Some(reception) = self.0.upgrade() else { return false };
        matches!(reception.drop_receiver(name).await, Ok(Ok(true)))
    }
}

impl<A: 'static> Extract for Receivers<A> {
    fn needs(needs: &mut Needs) {
        needs.agent::<A>();
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        let reception = invocation.reception.upgrade().ok_or(Error::Closed("the agent"))?;
        match reception.downcast::<Reception<A>>() {
            Ok(reception) => Ok(Self(Rc::downgrade(&reception))),
            Err(_) => {
                let (handler, agent) = (invocation.handler(), std::any::type_name::<A>());
                Err(Error::Settings(format!("`{handler}` is no handler of `{agent}`: ask for `Receivers<Self>`")))
            }
        }
    }
}

impl<A> Clone for Receivers<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A> std::fmt::Debug for Receivers<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Receivers").field(&std::any::type_name::<A>()).finish()
    }
}
