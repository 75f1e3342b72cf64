//! Batches: the lanes that gather them, have them handled, and settle them.

mod deliveries;
mod gather;
mod gatherer;
mod settle;

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use deliveries::Batch;
pub(crate) use gatherer::Gatherers;

use self::deliveries::Deliveries;
use self::gatherer::Gatherer;
use super::keys::Keys;
use super::turn::take_turn;
use super::{ConsumerSlot, InHandDelivery, Row};
use crate::agent::builder::Batch as Size;
use crate::agent::chain::{Chain, Entered};
use crate::agent::instance::{Core, Instance};
use crate::agent::invocation::Invocation;
use crate::agent::item::{Item, Verdicts};
use crate::agent::settling::Settling;
use crate::agent::turns::{Guard, Turn};
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

/// A handling that has its turn.
pub(crate) struct Begun<'a> {
    entered: Entered<'a>,
    deliveries: Deliveries,
    verdicts: Verdicts,
    turn: Guard,
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

    /// Waits for the rate and for the turn. What has not begun when the agent stops goes back.
    pub(crate) async fn begin(&self, batch: Batch<P>) -> Option<(Begun<'_>, Vec<Item<P>>)> {
        let entered = self.chain.enter(&self.run, Some(self.timeout));
        let turn = take_turn(&self.core, &self.chain, self.turn, || self.waits()).await?;
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
