use std::any::Any;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Bytes;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::gather::{Baton, Gathered, Gatherer, Gatherers};
use super::keys::Keys;
use super::{ConsumerSlot, InHandDelivery, Row};
use crate::agent::builder::Batch as Size;
use crate::agent::chain::{Chain, Entered, Ran};
use crate::agent::decode::DecodeFailure;
use crate::agent::instance::{Core, Instance, guarded_now};
use crate::agent::invocation::Invocation;
use crate::agent::item::{Item, Verdicts};
use crate::agent::settling::Settling;
use crate::agent::shared::Shared;
use crate::agent::turns::{Guard, Turn};
use crate::contract::Outcome;
use crate::error::HandlerError;
use crate::layers::LayerResult;
use crate::load::InHand;

/// Gathers deliveries from the inbox of one batch consumer, and has them handled together.
pub(crate) struct BatchLane<P> {
    core: Rc<Core>,
    slot: Rc<ConsumerSlot>,
    at: usize,
    turn: Turn,
    timeout: Duration,
    size: Size,
    chain: Rc<Chain>,
    settling: Settling,
    keys: Keys,
    gatherer: Rc<Gatherer<P>>,
    run: Invocation,
    /// What came and is in no batch: its end is known, and it waits until the batch has gone.
    apart: Vec<(InHandDelivery, Option<HandlerError>)>,
    /// While it looks or handles, the group has something in hand.
    in_hand: Option<InHand>,
    row: Row,
}

/// The deliveries of one batch. Those that nobody settled go back together, in their order.
struct Deliveries {
    all: Vec<InHandDelivery>,
    slot: Rc<ConsumerSlot>,
}

/// A batch that is ready to be handled.
pub(crate) struct Batch<P> {
    messages: Vec<P>,
    deliveries: Deliveries,
}

/// A handling that has its turn.
pub(crate) struct Begun<'a> {
    entered: Entered<'a>,
    deliveries: Deliveries,
    verdicts: Verdicts,
    turn: Guard,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.slot.put_all_back(self.all.iter().filter_map(|delivery| delivery.state.leftover()).collect());
    }
}

impl<P> Batch<P> {
    fn new(slot: &Rc<ConsumerSlot>) -> Self {
        Self { messages: Vec::new(), deliveries: Deliveries { all: Vec::new(), slot: slot.clone() } }
    }

    fn push(&mut self, gathered: Gathered<P>) {
        self.messages.push(gathered.message);
        self.deliveries.all.push(gathered.delivery);
    }

    fn len(&self) -> usize {
        self.messages.len()
    }
}

impl<P: 'static> BatchLane<P> {
    pub(crate) fn open<A: 'static>(instance: &Rc<Instance<A>>, at: usize, gatherers: &Gatherers<P>) -> Self {
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
            size: options.batch.unwrap_or_default(),
            chain: chain.clone(),
            settling: Settling::new(instance, at),
            keys: Keys::new(options),
            gatherer: gatherers.get(),
            run,
            apart: Vec::new(),
            in_hand: None,
            row: Row::default(),
        }
    }

    /// What extractors see of the handling.
    pub(crate) fn run(&self) -> &Invocation {
        &self.run
    }

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
        let limit = shared.env.limits.max_body.get();
        let read = || match body.len() > limit {
            true => Err(DecodeFailure::too_large(body.len(), limit)),
            false => read(shared, body),
        };
        let error = match guarded_now(read) {
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

    /// Waits for the rate and for the turn. What has not begun when the agent stops goes back.
    pub(crate) async fn begin(&self, batch: Batch<P>) -> Option<(Begun<'_>, Vec<Item<P>>)> {
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
        let turn = tokio::select! {
            biased;
            () = self.core.cx.stopping_flag().raised() => return None,
            turn = begin => turn,
        };
        if self.core.crash.has_happened() {
            return None;
        }
        let Batch { messages, deliveries } = batch;
        let verdicts = Verdicts::new(messages.len());
        let items = messages.into_iter().zip(&deliveries.all).enumerate();
        let items = items.map(|(at, (message, delivery))| Item::new(message, delivery.state.clone(), &verdicts, at));
        let items = items.collect();
        Some((Begun { entered, deliveries, verdicts, turn }, items))
    }

    /// Runs the handler, passes the turn on, and settles each delivery: as the handler did, or by the result.
    pub(crate) async fn handle(&self, begun: Begun<'_>, handler: impl Future<Output = LayerResult>) {
        let Begun { entered, deliveries, verdicts, turn } = begun;
        let ran = self.chain.run(&self.core, entered, &self.run, &|| self.waits(), handler).await;
        drop(turn);
        self.settle(&deliveries, &verdicts, ran).await;
    }

    async fn settle(&self, deliveries: &Deliveries, verdicts: &Verdicts, ran: Ran) {
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
        // The last first: what is left to the next instance is put in front, one before the other.
        for InHandDelivery { state, .. } in deliveries.all.iter().rev().filter(|one| one.state.is_given_up()) {
            self.settling.give_up(state).await;
        }
        for InHandDelivery { state, .. } in &deliveries.all {
            self.settling.finish(state).await;
        }
    }

    /// The handling is over: its handles have outlived it. What was put apart comes to its end.
    pub(crate) async fn end(&mut self) {
        self.run.end();
        for (InHandDelivery { state, .. }, error) in &mut self.apart {
            match error.take() {
                Some(error) => self.settling.fail(state, error).await,
                None => self.settling.end(state).await,
            }
        }
        self.apart.clear();
    }
}

impl<P> BatchLane<P> {
    fn waits(&self) {
        self.slot.inbox.inbox.pass_on(&self.core.shared.wake);
    }
}

impl<P> Drop for BatchLane<P> {
    fn drop(&mut self) {
        let lanes = &self.core.lanes[self.at];
        lanes.set(lanes.get() - 1);
    }
}
