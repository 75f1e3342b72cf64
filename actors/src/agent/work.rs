//! Lanes: the tasks that take from the inboxes and run handlers, at most as many beside each other as a handler allows.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::{DeadReason, Failure};

use super::delivery::DeliveryState;
use super::instance::Instance;
use super::instance::{Ran, Run, guarded_now};
use super::life::Running;
use super::plan::{ConsumerPlan, ReceiverPlan};
use super::receive::{Arrived, ConsumerInbox};
use super::turns::{Guard, Turn};
use crate::backoff::Backoff;
use crate::broker::Broker;
use crate::contract::{ConsumerId, Delivered, Outcome, Settlement};
use crate::error::HandlerError;
use crate::events::{BadInput, HandlerKind};

/// How many failures a message may have before it is dead.
const ATTEMPTS: u32 = 5;
/// After so many handlings in a row a lane lets others have the arbiter.
const IN_A_ROW: usize = 64;

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
            None => self.broker.settle(self.id, vec![settlement]),
        }
    }

    fn state(&self, delivered: Delivered) -> DeliveryState {
        DeliveryState::new(delivered, self.queue.clone(), self.broker.clone(), self.id)
    }
}

/// Returns a delivery that nobody settled: its lane was aborted, or its turn never came.
struct Settler {
    state: Arc<DeliveryState>,
    slot: Rc<ConsumerSlot>,
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.slot.put_back(self.state.settlement(Outcome::Return, None));
    }
}

/// Takes signals from an inbox until it is empty.
pub(crate) async fn receive<A: 'static>(instance: Rc<Instance<A>>, at: usize) {
    let plan = instance.plan.clone();
    let mut in_a_row = 0usize;
    let _in_hand = instance.shared.env.gauge.begin();
    while !instance.crash.has_happened()
        && !instance.finishing.get()
        && let Some(arrived) = instance.receivers[at].inbox.pop()
    {
        handle_signal(&instance, &plan.receivers[at], arrived).await;
        in_a_row += 1;
        if in_a_row.is_multiple_of(IN_A_ROW) {
            tokio::task::yield_now().await;
        }
    }
    let lanes = &instance.lanes.receivers[at];
    lanes.set(lanes.get() - 1);
}

async fn handle_signal<A: 'static>(instance: &Instance<A>, plan: &ReceiverPlan<A>, arrived: Arrived) {
    let Arrived { arriving, ticket } = arrived;
    let shared = &instance.shared;
    let ready = match guarded_now(|| (plan.read)(shared, &arriving)) {
        Ok(Ok(ready)) => ready,
        Ok(Err(failure)) => {
            crate::bus::bad(
                &shared.env,
                &arriving.signal,
                &arriving.sender,
                failure.what,
                &failure.reason,
                &arriving.body,
            );
            return ticket.into_iter().for_each(|ticket| ticket.fail("decode", &*failure.reason));
        }
        Err(message) => {
            instance.crash.tell(&plan.name, &message);
            return ticket.into_iter().for_each(|ticket| ticket.fail("panic", &*message));
        }
    };
    let own = ticket.as_ref().and_then(|ticket| ticket.id()).and_then(|id| shared.own_calls.origin(id));
    let caller = own.and_then(|origin| origin.turn.map(|turn| (origin.handler, turn)));
    let _turn: Guard = match caller {
        None => instance.turns.take(plan.turn).await,
        Some((_, Turn::Read)) if plan.turn == Turn::Read => match instance.turns.overtake() {
            Some(turn) => turn,
            None => instance.turns.take(plan.turn).await,
        },
        Some((handler, turn)) => {
            let held = if turn == Turn::Write { "write (`&mut self`)" } else { "read (`&self`)" };
            let message = format!(
                "`{}` is asked by `{handler}` of the same agent, which holds the {held} turn that it would wait for: \
                 call from a `&self` handler into a `&self` handler, or call the method directly",
                plan.name
            );
            return ticket.into_iter().for_each(|ticket| ticket.fail("deadlock", &*message));
        }
    };
    let run = Run {
        handler: plan.name.clone(),
        kind: HandlerKind::Receiver,
        turn: plan.turn,
        timeout: plan.options.timeout,
        sender: Some(arriving.sender.clone()),
        delivery: None,
    };
    let ran = instance.run(run, ready).await;
    let Some(ticket) = ticket else { return };
    match ran {
        Ran::Ok(value) => ticket.answer(value),
        Ran::Failed(error) => ticket.fail(error.kind(), error.to_string()),
        Ran::Panicked(message) => ticket.fail("panic", message),
    }
}

/// Takes deliveries from an inbox until it is empty.
pub(crate) async fn consume<A: 'static>(instance: Rc<Instance<A>>, at: usize) {
    let plan = instance.plan.clone();
    let slot = instance.consumers[at].clone();
    let mut in_a_row = 0usize;
    let _in_hand = instance.shared.env.gauge.begin();
    while !instance.crash.has_happened()
        && !*instance.stopping.borrow()
        && let Some(delivered) = slot.inbox.inbox.pop()
    {
        handle_delivery(&instance, &plan.consumers[at], &slot, delivered).await;
        in_a_row += 1;
        if in_a_row.is_multiple_of(IN_A_ROW) {
            tokio::task::yield_now().await;
        }
    }
    let lanes = &instance.lanes.consumers[at];
    lanes.set(lanes.get() - 1);
}

async fn handle_delivery<A: 'static>(
    instance: &Instance<A>,
    plan: &ConsumerPlan<A>,
    slot: &Rc<ConsumerSlot>,
    delivered: Delivered,
) {
    let shared = &instance.shared;
    let state = Arc::new(slot.state(delivered));
    let settler = Settler { state: state.clone(), slot: slot.clone() };
    let delivered = &state.delivered;
    let failure = |error: &str| Some(Failure::new(shared.env.clock.now_ms(), &shared.agent, &plan.name, error));
    let limit = shared.env.limits.max_body.get();
    let read = || {
        if delivered.body.len() > limit {
            return Err(super::decode::DecodeFailure::too_large(delivered.body.len(), limit));
        }
        (plan.read)(shared, &delivered.body)
    };
    let ready = match guarded_now(read) {
        Ok(Ok(ready)) => ready,
        Ok(Err(bad)) => {
            crate::bus::bad(&shared.env, &slot.queue, &delivered.id, bad.what, &bad.reason, &delivered.body);
            let reason = match bad.what {
                BadInput::TooLarge => DeadReason::TooLarge,
                BadInput::Rejected => DeadReason::Rejected,
                _ => DeadReason::Undecodable,
            };
            return state.settle(Outcome::Dead { reason }, failure(&bad.reason));
        }
        Err(message) => {
            state.settle(outcome_of_failure(delivered.attempt, shared), failure(&message));
            return instance.crash.tell(&plan.name, &message);
        }
    };
    let mut stopping = instance.stopping.clone();
    let turn = tokio::select! {
        biased;
        // What never started goes back: the settler returns it.
        _ = stopping.wait_for(|stopping| *stopping) => return,
        turn = instance.turns.take(plan.turn) => turn,
    };
    let run = Run {
        handler: plan.name.clone(),
        kind: HandlerKind::Consumer,
        turn: plan.turn,
        timeout: plan.options.timeout,
        sender: None,
        delivery: Some(state.clone()),
    };
    let ran = instance.run(run, ready).await;
    drop(turn);
    match ran {
        Ran::Ok(()) => state.settle(Outcome::Ack, None),
        Ran::Failed(error) => fail(shared, &state, failure(&error.to_string()), &error),
        Ran::Panicked(message) => {
            let error = HandlerError::of_kind("panic", message);
            fail(shared, &state, failure(&format!("panic: {error}")), &error);
        }
    }
    drop(settler);
}

fn fail(shared: &super::shared::Shared, state: &DeliveryState, failure: Option<Failure>, error: &HandlerError) {
    let outcome = outcome_of_failure(state.delivered.attempt, shared);
    if matches!(outcome, Outcome::Dead { .. }) {
        tracing::warn!(
            agent = %shared.agent, queue = %state.queue, id = state.delivered.id.as_ref(),
            "the last of {ATTEMPTS} attempts failed: {error}"
        );
    }
    state.settle(outcome, failure);
}

fn outcome_of_failure(attempt: u32, shared: &super::shared::Shared) -> Outcome {
    if attempt >= ATTEMPTS {
        return Outcome::Dead { reason: DeadReason::Exhausted };
    }
    Outcome::Retry { after: Backoff::RETRY.wait(attempt.saturating_sub(1), &shared.env.ids) }
}

/// Opens lanes for what waits in the inboxes.
pub(crate) fn dispatch<A: 'static>(running: &mut Running<A>) {
    let instance = &running.instance;
    for (at, plan) in instance.plan.receivers.iter().enumerate() {
        let lanes = &instance.lanes.receivers[at];
        let room = plan.options.concurrency.get().saturating_sub(lanes.get());
        for _ in 0..room.min(instance.receivers[at].inbox.len()) {
            lanes.set(lanes.get() + 1);
            running.work.spawn_local(receive(instance.clone(), at));
        }
    }
    if *instance.stopping.borrow() {
        return;
    }
    for (at, slot) in instance.consumers.iter().enumerate() {
        let lanes = &instance.lanes.consumers[at];
        let room = instance.plan.consumers[at].options.concurrency.get().saturating_sub(lanes.get());
        for _ in 0..room.min(slot.inbox.inbox.len()) {
            lanes.set(lanes.get() + 1);
            running.work.spawn_local(consume(instance.clone(), at));
        }
    }
}
