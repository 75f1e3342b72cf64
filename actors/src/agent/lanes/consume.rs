use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Bytes;

use super::Row;
use crate::agent::chain::{Chain, Entered};
use crate::agent::decode::DecodeFailure;
use crate::agent::delivery_state::{DeliveryState, Source};
use crate::agent::instance::{Core, Instance, guarded_now};
use crate::agent::invocation::Invocation;
use crate::agent::receive::ConsumerInbox;
use crate::agent::settling::Settling;
use crate::agent::shared::Shared;
use crate::agent::turns::{Guard, Turn};
use crate::contract::{Delivered, Outcome, Settlement};
use crate::error::HandlerError;
use crate::layers::LayerResult;
use crate::load::InHand;

/// What a consumer has beside its plan.
pub(crate) struct ConsumerSlot {
    pub(crate) inbox: Arc<ConsumerInbox>,
    pub(crate) source: Arc<Source>,
    /// While a crash or a stop collects what goes back, so that it goes back in its old order.
    returns: RefCell<Option<Vec<Settlement>>>,
}

impl ConsumerSlot {
    pub(crate) fn new(inbox: Arc<ConsumerInbox>, source: Arc<Source>) -> Self {
        Self { inbox, source, returns: RefCell::default() }
    }

    /// From now on, what goes back waits for [`ConsumerSlot::give_back`].
    pub(crate) fn collect(&self) {
        self.returns.borrow_mut().get_or_insert_default();
    }

    /// Collects what is in the inbox too.
    pub(crate) fn collect_inbox(&self) {
        for delivered in self.inbox.inbox.drain() {
            self.put_back(self.state(delivered).settlement(Outcome::Return, None));
        }
    }

    /// Gives back what was collected, in one batch.
    pub(crate) fn give_back(&self) {
        let returns = self.returns.borrow_mut().take().unwrap_or_default();
        if !returns.is_empty() {
            self.source.broker.settle(self.source.consumer, returns);
        }
    }

    fn put_back(&self, settlement: Option<Settlement>) {
        let Some(settlement) = settlement else { return };
        match &mut *self.returns.borrow_mut() {
            Some(returns) => returns.push(settlement),
            None => self.source.broker.settle(self.source.consumer, settlement),
        }
    }

    fn state(&self, delivered: Delivered) -> DeliveryState {
        DeliveryState::new(delivered, self.source.clone())
    }
}

/// A delivery on its way through its handler. One that nobody settles goes back: its lane was aborted, or its turn never
/// came.
pub(crate) struct InHandDelivery {
    state: Arc<DeliveryState>,
    slot: Rc<ConsumerSlot>,
}

impl Drop for InHandDelivery {
    fn drop(&mut self) {
        self.slot.put_back(self.state.leftover());
        // What was to come after an acknowledgement may hold the delivery itself.
        drop(guarded_now(|| drop(self.state.afterwards())));
    }
}

/// Takes deliveries from the inbox of one consumer.
pub(crate) struct ConsumeLane {
    core: Rc<Core>,
    slot: Rc<ConsumerSlot>,
    at: usize,
    turn: Turn,
    timeout: Duration,
    chain: Rc<Chain>,
    settling: Settling,
    run: Invocation,
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
            run,
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
                let state = Arc::new(self.slot.state(delivered));
                return Some(InHandDelivery { state, slot: self.slot.clone() });
            }
            self.in_hand = None;
            if !self.slot.inbox.inbox.wait().await {
                return None;
            }
        }
    }

    /// Decodes the message. What cannot be decoded is counted and dead-lettered.
    pub(crate) async fn read<P>(
        &mut self,
        delivery: InHandDelivery,
        read: impl FnOnce(&Shared, &Bytes) -> Result<P, DecodeFailure>,
    ) -> Option<(P, InHandDelivery)> {
        let (shared, delivered) = (&self.core.shared, &delivery.state.delivered);
        let limit = shared.env.limits.max_body.get();
        let read = || match delivered.body.len() > limit {
            true => Err(DecodeFailure::too_large(delivered.body.len(), limit)),
            false => read(shared, &delivered.body),
        };
        match guarded_now(read) {
            Ok(Ok(message)) => {
                self.run.delivery = Some(delivery.state.clone());
                Some((message, delivery))
            }
            Ok(Err(bad)) => {
                self.settling.undecodable(&delivery.state, bad);
                None
            }
            Err(message) => {
                self.core.crash.tell(self.run.scope.handler(), &message);
                self.settling.fail(&delivery.state, HandlerError::of_kind("panic", message)).await;
                None
            }
        }
    }

    /// Waits for the rate and for the turn. What has not begun when the agent stops goes back.
    pub(crate) async fn begin(&self, delivery: InHandDelivery) -> Option<Begun<'_>> {
        let entered = self.chain.enter(&self.run, Some(self.timeout));
        let begin = async {
            self.chain.wait_for_rate().await;
            match self.core.turns.try_take(self.turn) {
                Some(turn) => turn,
                None => {
                    self.waits();
                    self.core.turns.take(self.turn).await
                }
            }
        };
        tokio::select! {
            biased;
            () = self.core.cx.stopping_flag().raised() => None,
            turn = begin => Some(Begun { entered, delivery, turn }),
        }
    }

    /// Runs the handler, passes the turn on, and settles the delivery by the result.
    pub(crate) async fn handle(&self, begun: Begun<'_>, handler: impl Future<Output = LayerResult>) {
        let Begun { entered, delivery, turn } = begun;
        let ran = self.chain.run(&self.core, entered, &self.run, &|| self.waits(), handler).await;
        drop(turn);
        self.settling.settle(&delivery.state, ran).await;
    }

    /// The handling is over: its handles have outlived it.
    pub(crate) fn end(&mut self) {
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
