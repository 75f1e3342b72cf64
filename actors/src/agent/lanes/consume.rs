use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::{Bytes, DeadReason, Failure};

use super::Row;
use crate::agent::chain::{Chain, Entered, Ran};
use crate::agent::decode::DecodeFailure;
use crate::agent::delivery::DeliveryState;
use crate::agent::instance::{Core, Instance, guarded_now};
use crate::agent::invocation::Invocation;
use crate::agent::receive::ConsumerInbox;
use crate::agent::shared::Shared;
use crate::agent::turns::{Guard, Turn};
use crate::backoff::Backoff;
use crate::broker::Broker;
use crate::contract::{ConsumerId, Delivered, Outcome, Settlement};
use crate::error::HandlerError;
use crate::events::BadInput;
use crate::layers::LayerResult;
use crate::load::InHand;

/// How many failures a message may have before it is dead.
const ATTEMPTS: u32 = 5;

/// What a consumer has beside its plan.
pub(crate) struct ConsumerSlot {
    pub(crate) inbox: Arc<ConsumerInbox>,
    pub(crate) queue: Arc<str>,
    pub(crate) broker: Broker,
    pub(crate) id: ConsumerId,
    /// While a crash or a stop collects what goes back, so that it goes back in its old order.
    returns: RefCell<Option<Vec<Settlement>>>,
}

impl ConsumerSlot {
    pub(crate) fn new(inbox: Arc<ConsumerInbox>, queue: Arc<str>, broker: Broker, id: ConsumerId) -> Self {
        Self { inbox, queue, broker, id, returns: RefCell::default() }
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
            self.broker.settle(self.id, returns);
        }
    }

    fn put_back(&self, settlement: Option<Settlement>) {
        let Some(settlement) = settlement else { return };
        match &mut *self.returns.borrow_mut() {
            Some(returns) => returns.push(settlement),
            None => self.broker.settle(self.id, settlement),
        }
    }

    fn state(&self, delivered: Delivered) -> DeliveryState {
        DeliveryState::new(delivered, self.queue.clone(), self.broker.clone(), self.id)
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
        self.slot.put_back(self.state.settlement(Outcome::Return, None));
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
    pub(crate) fn open<A>(instance: &Instance<A>, at: usize) -> Self {
        let (core, plan) = (&instance.core, &instance.plan.consumers[at]);
        let options = &plan.options;
        let chain = plan.handler.chain(&instance.plan.layers, options.rate, &options.layers, core);
        let slot = core.consumers.borrow()[at].clone();
        let mut run = Invocation::new(core, core.cx.clone(), &plan.handler);
        run.place = Some(slot.queue.clone());
        Self {
            core: core.clone(),
            slot,
            at,
            turn: plan.handler.turn,
            timeout: options.timeout,
            chain: chain.clone(),
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
    pub(crate) fn read<P>(
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
                let (env, body) = (&shared.env, &delivered.body);
                crate::bus::bad(env, &self.slot.queue, &delivered.id, bad.what, &bad.reason, body);
                let reason = match bad.what {
                    BadInput::TooLarge => DeadReason::TooLarge,
                    BadInput::Rejected => DeadReason::Rejected,
                    _ => DeadReason::Undecodable,
                };
                delivery.state.settle(Outcome::Dead { reason }, self.failure(&bad.reason));
                None
            }
            Err(message) => {
                delivery.state.settle(self.outcome_of_failure(delivered.attempt), self.failure(&message));
                self.core.crash.tell(self.run.scope.handler(), &message);
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
        match ran {
            Ran::Ok => delivery.state.settle(Outcome::Ack, None),
            Ran::Failed(error) => self.fail(&delivery.state, &error.to_string(), &error),
            Ran::Panicked(message) => {
                let error = HandlerError::of_kind("panic", message);
                self.fail(&delivery.state, &format!("panic: {error}"), &error);
            }
        }
    }

    /// The handling is over: its handles have outlived it.
    pub(crate) fn end(&mut self) {
        self.run.end();
    }

    fn fail(&self, state: &DeliveryState, failure: &str, error: &HandlerError) {
        let outcome = self.outcome_of_failure(state.delivered.attempt);
        if matches!(outcome, Outcome::Dead { .. }) {
            tracing::warn!(
                agent = %self.core.shared.agent, queue = %state.queue, id = state.delivered.id.as_ref(),
                "the last of {ATTEMPTS} attempts failed: {error}"
            );
        }
        state.settle(outcome, self.failure(failure));
    }

    fn failure(&self, error: &str) -> Option<Failure> {
        let shared = &self.core.shared;
        Some(Failure::new(shared.env.clock.now_ms(), &shared.agent, self.run.handler(), error))
    }

    fn outcome_of_failure(&self, attempt: u32) -> Outcome {
        if attempt >= ATTEMPTS {
            return Outcome::Dead { reason: DeadReason::Exhausted };
        }
        Outcome::Retry { after: Backoff::RETRY.wait(attempt.saturating_sub(1), &self.core.shared.env.ids) }
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
