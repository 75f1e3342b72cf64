//! How a batch is gathered.

use std::any::Any;
use std::sync::Arc;

use formicary_protocol::Bytes;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::gatherer::{Baton, Gathered};
use super::{Batch, BatchLane};
use crate::agent::decode::DecodeFailure;
use crate::agent::instance::guarded_now;
use crate::agent::lanes::InHandDelivery;
use crate::agent::shared::Shared;
use crate::error::HandlerError;

impl<P: 'static> BatchLane<P> {
    /// The next batch: full, or its first message has waited as long as it may. `None` when the lane ends.
    pub(crate) async fn next(
        &mut self,
        read: impl Fn(&Shared, &Bytes) -> Result<P, DecodeFailure>,
    ) -> Option<Batch<P>> {
        loop {
            let gathered = match self.gatherer.begin() {
                Some(baton) => self.gather(baton, &read).await,
                None => None,
            };
            if gathered.as_ref().is_none_or(|batch| batch.len() == 0) {
                self.end().await;
            }
            let batch = self.only_new(gathered?).await?;
            if batch.len() > 0 {
                return Some(batch);
            }
        }
    }

    async fn gather(
        &mut self,
        baton: Baton<P>,
        read: &impl Fn(&Shared, &Bytes) -> Result<P, DecodeFailure>,
    ) -> Option<Batch<P>> {
        let mut batch = Batch::new(&self.slot);
        let (mut until, mut look_aside) = (None, true);
        loop {
            if self.row.is_full() {
                tokio::task::yield_now().await;
            }
            // Before the inbox is looked at, so that nothing is ever in neither count.
            self.in_hand.get_or_insert_with(|| self.core.shared.env.gauge.begin());
            if self.core.crash.has_happened() || self.core.cx.is_stopping() {
                return None;
            }
            if look_aside && let Some(gathered) = baton.take_free() {
                batch.push(gathered);
            } else if let Some(delivered) = self.slot.inbox.inbox.pop() {
                look_aside = false;
                let state = Arc::new(self.slot.state(delivered));
                if let Some(gathered) = self.read(InHandDelivery::new(state, self.slot.clone()), read) {
                    let is_first = gathered.delivery.alike.as_ref().is_none_or(|(_, place)| place.is_first());
                    if is_first { batch.push(gathered) } else { baton.put_aside(gathered) }
                }
            } else if batch.len() == 0 && !self.apart.is_empty() {
                return Some(batch);
            } else if self.more_to_come(&baton, until).await? {
                look_aside = true;
            } else {
                return Some(batch);
            }
            if batch.len() >= self.size.most.get() {
                return Some(batch);
            }
            if batch.len() > 0 {
                until.get_or_insert_with(|| crate::clock::after(self.size.wait));
            }
        }
    }

    /// Waits for more, until the time is over that the first message may wait: then `false`. `None` when the lane ends.
    async fn more_to_come(&mut self, baton: &Baton<P>, until: Option<Instant>) -> Option<bool> {
        if until.is_none() && !baton.has_aside() {
            self.in_hand = None;
        }
        let over = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.core.cx.stopping_flag().raised() => None,
            () = over => Some(false),
            () = baton.free(), if baton.has_aside() => Some(true),
            is_wanted = self.slot.inbox.inbox.wait() => is_wanted.then_some(true),
        }
    }

    /// Decodes a message and takes its place in the line of its key. One that cannot be decoded is dead-lettered, and one
    /// that fails here or has no attempt left is put apart: neither spoils the batch.
    fn read(
        &mut self,
        mut delivery: InHandDelivery,
        read: &impl Fn(&Shared, &Bytes) -> Result<P, DecodeFailure>,
    ) -> Option<Gathered<P>> {
        if self.settling.is_over(&delivery.state) {
            self.apart.push((delivery, None));
            return None;
        }
        let (shared, body) = (&self.core.shared, &delivery.state.delivered.body);
        let error = match guarded_now(|| read(shared, body)) {
            Ok(Ok(message)) => match guarded_now(|| self.keys.join(&mut delivery, &message as &dyn Any, &self.slot)) {
                Ok(Ok(())) => return Some(Gathered { message, delivery }),
                Ok(Err(reason)) => HandlerError::from(format!("its key cannot be read: {reason}")),
                Err(panic) => self.crashed(panic),
            },
            Ok(Err(bad)) => {
                self.settling.undecodable(&delivery.state, bad);
                return None;
            }
            Err(panic) => self.crashed(panic),
        };
        self.apart.push((delivery, Some(error)));
        None
    }

    fn crashed(&self, message: String) -> HandlerError {
        self.core.crash.tell(self.run.scope.handler(), &message);
        HandlerError::of_kind("panic", message)
    }

    /// Leaves out what was handled before, by what the broker remembers. `None` when the agent stops meanwhile.
    async fn only_new(&self, mut batch: Batch<P>) -> Option<Batch<P>> {
        if !self.keys.tell_alike() || batch.len() == 0 {
            return Some(batch);
        }
        let are_new =
            join_all(batch.deliveries.all.iter().map(|delivery| self.keys.is_new(delivery, &self.slot, &self.core)));
        let are_new = tokio::select! {
            biased;
            () = self.core.cx.stopping_flag().raised() => return None,
            are_new = are_new => are_new,
        };
        let mut is_new = are_new.iter();
        batch.messages.retain(|_| is_new.next().is_some_and(|is_new| *is_new));
        let mut is_new = are_new.iter();
        batch.deliveries.all.retain(|_| is_new.next().is_some_and(|is_new| *is_new));
        Some(batch)
    }
}
