use std::any::Any;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Bytes;

use super::keys::Keys;
use super::turn::take_turn;
use super::{ConsumerSlot, InHandDelivery, Row};
use crate::agent::chain::{Chain, Entered};
use crate::agent::decode::DecodeFailure;
use crate::agent::delivery_state::DeliveryState;
use crate::agent::instance::{Core, Instance, guarded_now};
use crate::agent::invocation::Invocation;
use crate::agent::settling::Settling;
use crate::agent::shared::Shared;
use crate::agent::turns::{Guard, Turn};
use crate::error::HandlerError;
use crate::layers::LayerResult;
use crate::load::InHand;

/// Takes deliveries from the inbox of one consumer.
pub(crate) struct ConsumeLane {
    core: Rc<Core>,
    slot: Rc<ConsumerSlot>,
    at: usize,
    turn: Turn,
    timeout: Duration,
    chain: Rc<Chain>,
    settling: Settling,
    keys: Keys,
    run: Invocation,
    /// A state that can be used again.
    spare: Option<Arc<DeliveryState>>,
    /// While it looks or handles, the group has something in hand.
    in_hand: Option<InHand>,
    row: Row,
}

/// A handling that has its turn.
pub(crate) struct Begun<'a> {
    entered: Entered<'a>,
    delivery: InHandDelivery,
    turn: Guard,
}

impl ConsumeLane {
    pub(crate) fn open<A: 'static>(instance: &Rc<Instance<A>>, at: usize) -> Self {
        let (core, plan) = (&instance.core, &instance.plan.consumers[at]);
        let options = &plan.options;
        let chain = plan.handler.chain(&instance.plan.layers, options.rate, &options.layers, core);
        let slot = core.consumers.borrow()[at].clone();
        let mut run = Invocation::new(core, core.cx.clone(), &plan.handler);
        run.place = Some(slot.source.queue.clone());
        Self {
            core: core.clone(),
            slot,
            at,
            turn: plan.handler.turn,
            timeout: options.timeout,
            chain: chain.clone(),
            settling: Settling::new(instance, at),
            keys: Keys::new(options),
            run,
            spare: None,
            in_hand: None,
            row: Row::default(),
        }
    }

    /// What extractors see of the handling.
    pub(crate) fn run(&self) -> &Invocation {
        &self.run
    }

    /// The next delivery; `None` when the lane ends.
    pub(crate) async fn next(&mut self) -> Option<InHandDelivery> {
        loop {
            if self.row.is_full() {
                self.waits();
                tokio::task::yield_now().await;
            }
            // Before the inbox is looked at, so that nothing is ever in neither count.
            self.in_hand.get_or_insert_with(|| self.core.shared.env.gauge.begin());
            if self.core.crash.has_happened() || self.core.cx.is_stopping() {
                return None;
            }
            if let Some(delivered) = self.slot.inbox.inbox.pop() {
                let state = self.slot.state_in(self.spare.take(), delivered);
                return Some(InHandDelivery::new(state, self.slot.clone()));
            }
            self.in_hand = None;
            if !self.slot.inbox.inbox.wait().await {
                return None;
            }
        }
    }

    /// Decodes the message, and takes its places in the lines of its keys. What cannot be decoded is counted and
    /// dead-lettered. It waits for nothing unless something fails, so messages come into line in their order.
    pub(crate) async fn read<P: 'static>(
        &mut self,
        mut delivery: InHandDelivery,
        read: impl FnOnce(&Shared, &Bytes) -> Result<P, DecodeFailure>,
    ) -> Option<(P, InHandDelivery)> {
        let (shared, body) = (&self.core.shared, &delivery.state.delivered.body);
        let error = match guarded_now(|| read(shared, body)) {
            Ok(Ok(message)) => match guarded_now(|| self.keys.join(&mut delivery, &message as &dyn Any, &self.slot)) {
                Ok(Ok(())) => {
                    self.run.delivery = Some(delivery.state.clone());
                    return Some((message, delivery));
                }
                Ok(Err(reason)) => HandlerError::from(format!("its key cannot be read: {reason}")),
                Err(panic) => self.crashed(panic),
            },
            Ok(Err(bad)) => {
                self.settling.undecodable(&delivery.state, bad);
                return None;
            }
            Err(panic) => self.crashed(panic),
        };
        self.settling.fail(&delivery.state, error).await;
        None
    }

    fn crashed(&self, message: String) -> HandlerError {
        self.core.crash.tell(self.run.scope.handler(), &message);
        HandlerError::of_kind("panic", message)
    }

    /// Waits for its keys, the rate and the turn. What has not begun when the agent stops goes back; what needs no run is
    /// settled here.
    pub(crate) async fn begin(&self, mut delivery: InHandDelivery) -> Option<Begun<'_>> {
        let stopping = self.core.cx.stopping_flag();
        if delivery.ordered.is_some() || delivery.alike.is_some() {
            let is_first = async {
                self.keys.be_first(&mut delivery, || self.waits()).await;
                // Who is given up needs no memory of others.
                self.settling.is_over(&delivery.state) || self.keys.is_new(&delivery, &self.slot, &self.core).await
            };
            let is_to_be_handled = tokio::select! {
                biased;
                () = stopping.raised() => return None,
                is_to_be_handled = is_first => is_to_be_handled,
            };
            if !is_to_be_handled {
                return None;
            }
        }
        if self.settling.is_over(&delivery.state) {
            self.settling.end(&delivery.state).await;
            return None;
        }
        let entered = self.chain.enter(&self.run, Some(self.timeout));
        let turn = take_turn(&self.core, &self.chain, self.turn, || self.waits()).await?;
        Some(Begun { entered, delivery, turn })
    }

    /// Runs the handler, passes the turn on, and settles the delivery by the result.
    /// Whoever drops what it returns lets the next of its keys go on.
    pub(crate) async fn handle(&self, begun: Begun<'_>, handler: impl Future<Output = LayerResult>) -> InHandDelivery {
        let Begun { entered, delivery, turn } = begun;
        let ran = self.chain.run(&self.core, entered, &self.run, &|| self.waits(), handler).await;
        drop(turn);
        self.settling.settle(&delivery.state, ran).await;
        delivery
    }

    /// The handling is over: its handles have outlived it.
    pub(crate) fn end(&mut self) {
        self.spare = self.run.delivery.take().filter(|state| Arc::strong_count(state) == 1);
        if let Some(spare) = self.spare.as_mut().and_then(Arc::get_mut) {
            spare.shed();
        }
        self.run.end();
    }

    fn waits(&self) {
        self.slot.inbox.inbox.pass_on(&self.core.shared.wake);
    }
}

impl Drop for ConsumeLane {
    fn drop(&mut self) {
        let lanes = &self.core.lanes[self.at];
        lanes.set(lanes.get() - 1);
    }
}
