//! What becomes of a delivery: the policy of its consumer, applied to how its handler ended.

use std::rc::Rc;
use std::sync::Arc;

use formicary_protocol::{DeadReason, Failure};

use super::access::LocalFuture;
use super::chain::Ran;
use super::decode::DecodeFailure;
use super::delivery_state::DeliveryState;
use super::exhausted;
use super::instance::{Core, Instance, guarded_now};
use crate::Retry;
use crate::contract::Outcome;
use crate::error::HandlerError;
use crate::events::{BadInput, Event, EventKind};

/// Settles the deliveries of one consumer. Every way in which a handling ends leads through here, or through the drop
/// of what is in hand, which goes back.
pub(crate) struct Settling {
    core: Rc<Core>,
    /// The handler's name.
    handler: Arc<str>,
    retry: Retry,
    dead_letter: bool,
    give_up: Option<GiveUp>,
}

/// Runs the agent's handler of messages that are given up.
type GiveUp = Box<dyn Fn(Arc<DeliveryState>, Arc<HandlerError>) -> LocalFuture<'static, ()>>;

impl Settling {
    /// For the consumer at this place in the plan.
    pub(crate) fn new<A: 'static>(instance: &Rc<Instance<A>>, at: usize) -> Self {
        let plan = &instance.plan.consumers[at];
        Self {
            core: instance.core.clone(),
            handler: plan.handler.name.clone(),
            retry: plan.options.retry,
            dead_letter: plan.options.dead_letter,
            give_up: exhausted::handler_of(instance, plan.queue.name),
        }
    }

    /// By how the handler ended.
    pub(crate) async fn settle(&self, state: &Arc<DeliveryState>, ran: Ran) {
        match ran {
            Ran::Ok => self.succeed(state).await,
            Ran::Failed(error) => self.fail(state, error).await,
            Ran::Panicked(message) => self.fail(state, HandlerError::of_kind("panic", message)).await,
        }
    }

    /// The handler has done its work.
    pub(crate) async fn succeed(&self, state: &Arc<DeliveryState>) {
        state.settle(Outcome::Ack, None);
        self.finish(state).await;
    }

    /// The handler failed. What it settled itself before stays so.
    pub(crate) async fn fail(&self, state: &Arc<DeliveryState>, error: HandlerError) {
        if state.is_settled() {
            return self.finish(state).await;
        }
        let attempt = state.delivered.attempt;
        let is_worth_it = guarded_now(|| self.retry.is_worth_it(&error)).unwrap_or_else(|message| {
            self.core.crash.tell(&self.handler, &message);
            true
        });
        let reason = match is_worth_it {
            false => DeadReason::Refused,
            true if attempt >= self.retry.most_attempts().get() => DeadReason::Exhausted,
            true => return state.settle(Outcome::Retry { after: self.wait(attempt) }, Some(self.failure(&error))),
        };
        let failure = Some(self.failure(&error));
        self.give_up(state, reason, failure, error).await;
    }

    /// The message never reached its handler.
    pub(crate) fn undecodable(&self, state: &DeliveryState, bad: DecodeFailure) {
        let (env, delivered) = (&self.core.shared.env, &state.delivered);
        crate::bus::bad(env, &state.source.queue, &delivered.id, bad.what, &bad.reason, &delivered.body);
        let reason = match bad.what {
            BadInput::TooLarge => DeadReason::TooLarge,
            BadInput::Rejected => DeadReason::Rejected,
            _ => DeadReason::Undecodable,
        };
        state.settle(Outcome::Dead { reason }, Some(self.failure_of(&bad.reason)));
    }

    /// What is left to be done when a delivery is settled.
    pub(crate) async fn finish(&self, state: &DeliveryState) {
        let Some(_after) = state.afterwards() else { return };
    }

    async fn give_up(
        &self,
        state: &Arc<DeliveryState>,
        reason: DeadReason,
        failure: Option<Failure>,
        error: HandlerError,
    ) {
        let shared = &self.core.shared;
        let (agent, queue, id) = (&shared.agent, &state.source.queue, &state.delivered.id);
        tracing::warn!(%agent, %queue, id = id.as_ref(), attempt = state.delivered.attempt, %reason, "a message is given up: {error}");
        let outcome = if self.dead_letter { Outcome::Dead { reason } } else { Outcome::Ack };
        if let Some(give_up) = &self.give_up {
            // Whatever happens to that handler, the message has come to its end.
            state.is_doomed_to(outcome.clone(), failure.clone());
            give_up(state.clone(), Arc::new(error)).await;
        }
        if !self.dead_letter {
            let (queue, consumer) = (queue.clone(), format!("{agent}.{}", self.handler).into());
            shared.env.events.emit(EventKind::Discarded, || Event::Discarded { queue, consumer });
        }
        state.settle(outcome, failure);
    }

    fn wait(&self, attempt: u32) -> std::time::Duration {
        let ids = &self.core.shared.env.ids;
        guarded_now(|| self.retry.wait_with_jitter(attempt, ids)).unwrap_or_else(|message| {
            self.core.crash.tell(&self.handler, &message);
            Retry::default().wait_with_jitter(attempt, ids)
        })
    }

    fn failure(&self, error: &HandlerError) -> Failure {
        match error.kind() {
            "panic" => self.failure_of(&format!("panic: {error}")),
            _ => self.failure_of(&error.to_string()),
        }
    }

    fn failure_of(&self, error: &str) -> Failure {
        let shared = &self.core.shared;
        Failure::new(shared.env.clock.now_ms(), &shared.agent, &self.handler, error)
    }
}
