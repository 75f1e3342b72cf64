//! What becomes of a delivery: the policy of its consumer, applied to how its handler ended.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::entry::MAX_HISTORY;
use formicary_protocol::{DeadReason, Failure};

use super::after_ack;
use super::chain::Ran;
use super::decode::DecodeFailure;
use super::delivery_state::{Afterwards, DeliveryState, End, drop_users};
use super::exhausted::{self, GiveUp};
use super::instance::{Core, Instance, guarded_now};
use super::lanes::ConsumerSlot;
use crate::Retry;
use crate::contract::Outcome;
use crate::error::HandlerError;
use crate::events::BadInput;

/// Settles the deliveries of one consumer. Every way in which a handling ends leads through here, or through the drop
/// of what is in hand, which goes back.
pub(crate) struct Settling {
    core: Rc<Core>,
    slot: Rc<ConsumerSlot>,
    /// The handler's name.
    handler: Arc<str>,
    timeout: Duration,
    retry: Retry,
    give_up: Option<GiveUp>,
}

impl Settling {
    /// For the consumer at this place in the plan.
    pub(crate) fn new<A: 'static>(instance: &Rc<Instance<A>>, at: usize) -> Self {
        let plan = &instance.plan.consumers[at];
        Self {
            core: instance.core.clone(),
            slot: instance.core.consumers.borrow()[at].clone(),
            handler: plan.handler.name.clone(),
            timeout: plan.options.timeout,
            retry: plan.options.retry,
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
        match self.judge(state, Arc::new(error)) {
            Some((outcome, failure)) => state.settle(outcome, failure),
            None => self.give_up(state).await,
        }
    }

    /// What becomes of a delivery whose attempt failed: `None` when it is given up, see [`Settling::give_up`].
    pub(crate) fn judge(&self, state: &DeliveryState, error: Arc<HandlerError>) -> Option<(Outcome, Option<Failure>)> {
        let attempt = state.delivered.attempt;
        let failure = Some(self.failure(&error));
        let is_worth_it = self.user_code(true, || self.retry.is_worth_it(&error));
        let reason = match is_worth_it {
            true if attempt < state.source.attempts.get() => {
                return Some((Outcome::Retry { after: self.wait(attempt) }, failure));
            }
            true => DeadReason::Exhausted,
            false => DeadReason::Refused,
        };
        state.give_up(End { reason, failure, error });
        None
    }

    /// Ends a message whose last attempt has just failed.
    pub(crate) async fn give_up(&self, state: &Arc<DeliveryState>) {
        // An instance that is done for leaves the message to the next one, which may still look at it.
        if self.core.crash.has_happened() && self.give_up.is_some() && self.slot.postpone(state) {
            return;
        }
        self.end(state).await;
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

    /// Whether no attempt is left for a delivery that comes now. It is given up then: see [`Settling::end`].
    pub(crate) fn is_over(&self, state: &DeliveryState) -> bool {
        let (attempt, most) = (state.delivered.attempt, state.source.attempts.get());
        if state.is_given_up() {
            return true;
        }
        if attempt > most {
            let text = format!(
                "no attempt is left: this would be attempt {attempt} of {most}; earlier ones ended with their process, \
                 or were brought back by hand"
            );
            let told = state.delivered.history.len();
            let failed_before = usize::try_from(attempt - 1).unwrap_or(usize::MAX).min(MAX_HISTORY);
            let failure = (told < failed_before).then(|| self.failure_of(&text));
            let error = Arc::new(HandlerError::of_kind("exhausted", text));
            state.give_up(End { reason: DeadReason::Exhausted, failure, error });
        }
        attempt > most
    }

    /// Ends a message that is given up, after the agent's handler for that had it.
    pub(crate) async fn end(&self, state: &Arc<DeliveryState>) {
        let Some(End { reason, error, .. }) = state.end() else { return };
        let (agent, queue) = (&self.core.shared.agent, &state.source.queue);
        let (id, attempt) = (state.delivered.id.as_ref(), state.delivered.attempt);
        if let Some(times) = self.core.shared.env.events.line_due("given up", &state.source.name) {
            let (handler, kept) = (&self.handler, state.source.dead_letter);
            tracing::warn!(%agent, %handler, %queue, id, attempt, %reason, kept, times, "a message is given up: {error}");
        }
        if let Some(give_up) = &self.give_up {
            self.waits();
            state.see();
            give_up(state.clone(), error).await;
        }
        state.settle_given_up();
    }

    /// Does what is left to be done when a delivery was acknowledged.
    pub(crate) async fn finish(&self, state: &DeliveryState) {
        let Some(Afterwards { applied, work }) = state.afterwards() else { return };
        self.waits();
        match applied.await {
            Some(Ok(())) => after_ack::run(&self.core, &self.handler, self.timeout, work).await,
            // The broker has told that it was not applied.
            _ => drop_users(work),
        }
    }

    /// Another lane takes what comes next.
    fn waits(&self) {
        self.slot.inbox.inbox.pass_on(&self.core.shared.wake);
    }

    fn wait(&self, attempt: u32) -> Duration {
        let ids = &self.core.shared.env.ids;
        let wait = self.user_code(None, || Some(self.retry.wait_with_jitter(attempt, ids)));
        wait.unwrap_or_else(|| Retry::default().wait_with_jitter(attempt, ids))
    }

    /// A panic in it is a crash, and counts as `otherwise`.
    fn user_code<T>(&self, otherwise: T, run: impl FnOnce() -> T) -> T {
        guarded_now(run).unwrap_or_else(|message| {
            self.core.crash.tell(&self.handler, &message);
            otherwise
        })
    }

    fn failure(&self, error: &HandlerError) -> Failure {
        match error.kind() {
            "panic" => self.failure_of(&format!("panic: {error}")),
            _ => self.failure_of(&error.to_string()),
        }
    }

    fn failure_of(&self, error: &str) -> Failure {
        self.slot.source.failure(error)
    }
}
