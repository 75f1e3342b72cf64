//! The keys of a consumer's messages: `by`, which orders them, and `dedup`, which tells them to be the same.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::{ConsumerSlot, InHandDelivery};
use crate::Backoff;
use crate::agent::builder::{ConsumerOptions, Dedup};
use crate::agent::instance::Core;
use crate::agent::keyed::KeyOf;
use crate::contract::{Outcome, Seen};

/// How keys are read, for one consumer.
pub(super) struct Keys {
    by: Option<KeyOf>,
    dedup: Option<Dedup>,
}

/// For how long the key of a message is remembered that another one has made needless: not anew. Zero would be no time
/// that every broker knows.
const NOT_ANEW: Duration = Duration::from_millis(1);

impl Keys {
    pub(super) fn new(options: &ConsumerOptions) -> Self {
        Self { by: options.by.clone(), dedup: options.dedup.clone() }
    }

    /// Whether messages are told to be the same.
    pub(super) fn tell_alike(&self) -> bool {
        self.dedup.is_some()
    }

    /// Takes the places of a message in the lines of its keys. `Err`: why it has no key.
    pub(super) fn join(
        &self,
        delivery: &mut InHandDelivery,
        message: &dyn Any,
        slot: &ConsumerSlot,
    ) -> Result<(), String> {
        if let Some(by) = &self.by {
            delivery.ordered = Some(slot.ordered.join(by.read(message)?));
        }
        if let Some(Dedup { key, .. }) = &self.dedup {
            let key = match key {
                Some(key) => key.read(message)?,
                None => delivery.state.delivered.id.clone(),
            };
            delivery.alike = Some((key.clone(), slot.alike.join(key)));
        }
        Ok(())
    }

    /// Waits until no message with one of its keys is before it. All came into their lines in one order, so no two wait
    /// for each other.
    pub(super) async fn be_first(&self, delivery: &mut InHandDelivery, waits: impl Fn()) {
        let alike = delivery.alike.as_mut().map(|(_, place)| place);
        for place in delivery.ordered.as_mut().into_iter().chain(alike) {
            if !place.is_first() {
                waits();
                place.be_first().await;
            }
        }
    }

    /// Whether no message like it was acknowledged before. If one was, this one is acknowledged too. While the broker
    /// does not say, it waits.
    pub(super) async fn is_new(&self, delivery: &InHandDelivery, slot: &ConsumerSlot, core: &Core) -> bool {
        let (Some(Dedup { window, .. }), Some((key, _))) = (&self.dedup, &delivery.alike) else { return true };
        let (state, env) = (&delivery.state, &core.shared.env);
        slot.inbox.inbox.pass_on(&core.shared.wake);
        let mut failures = 0;
        let was_seen = loop {
            let error = match slot.memory.has(&slot.source, key).await {
                Ok(seen) => break seen,
                Err(error) => error,
            };
            let (agent, queue) = (&core.shared.agent, &state.source.queue);
            if let Some(times) = env.events.line_due("dedup unknown", queue) {
                tracing::warn!(%agent, %queue, times, "messages wait, since the broker does not say which were handled: {error}");
            }
            tokio::time::sleep(Backoff::RETRY.wait(failures, &env.ids)).await;
            failures += 1;
        };
        let seen = |window| Seen { key: Arc::clone(key), window };
        if was_seen {
            state.remember(seen(NOT_ANEW));
            state.settle(Outcome::Ack, None);
        } else {
            state.remember(seen(*window));
        }
        !was_seen
    }
}
