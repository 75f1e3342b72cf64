//! How a batch is settled.

use std::sync::Arc;

use super::{BatchLane, Deliveries};
use crate::agent::chain::Ran;
use crate::agent::item::Verdicts;
use crate::agent::lanes::InHandDelivery;
use crate::contract::Outcome;
use crate::error::HandlerError;

impl<P: 'static> BatchLane<P> {
    /// Settles each delivery as the handler did, or by its own error, or by the result; what the result settles goes together.
    pub(super) async fn settle(&self, deliveries: &Deliveries, verdicts: &Verdicts, ran: Ran) {
        let of_all = match ran {
            Ran::Ok => None,
            Ran::Failed(error) => Some(Arc::new(error)),
            Ran::Panicked(message) => Some(Arc::new(HandlerError::of_kind("panic", message))),
        };
        let mut settlements = Vec::new();
        for (at, InHandDelivery { state, .. }) in deliveries.all.iter().enumerate() {
            if state.is_settled() {
                continue;
            }
            let (outcome, failure) = match verdicts.get(at).or_else(|| of_all.clone()) {
                None => (Outcome::Ack, None),
                Some(error) => match self.settling.judge(state, error) {
                    Some(again) => again,
                    None => continue,
                },
            };
            settlements.extend(state.settlement(outcome, failure));
        }
        let source = &self.slot.source;
        if settlements.iter().any(|settlement| settlement.seen.is_some()) {
            // Who is behind them asks the broker, which must know of these by then. It tells itself what comes too late.
            self.waits();
            source.broker.settled(source.consumer, settlements).await.ok();
        } else if !settlements.is_empty() {
            source.broker.settle(source.consumer, settlements);
        }
        let mut given_up: Vec<_> = deliveries.all.iter().filter(|one| one.state.is_given_up()).collect();
        if self.core.crash.has_happened() {
            // They are left to the next instance, each put in front of those before.
            given_up.reverse();
        }
        for InHandDelivery { state, .. } in given_up {
            self.settling.give_up(state).await;
        }
        for InHandDelivery { state, .. } in &deliveries.all {
            self.settling.finish(state).await;
        }
    }
}
