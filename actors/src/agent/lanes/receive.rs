use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use formicary_protocol::Value;

use super::Row;
use crate::agent::chain::{Chain, Entered, Ran};
use crate::agent::decode::DecodeFailure;
use crate::agent::filter::Filter;
use crate::agent::instance::{Core, Instance, guarded_now};
use crate::agent::invocation::Invocation;
use crate::agent::receive::{Arrived, ReceiverInbox, dropped};
use crate::agent::reception::Receiver;
use crate::agent::request::Ticket;
use crate::agent::shared::Shared;
use crate::agent::turns::{Guard, Turn};
use crate::contract::Arriving;
use crate::error::HandlerError;
use crate::events::{DropReason, Event, EventKind};
use crate::layers::LayerResult;
use crate::load::InHand;

/// Takes signals and calls from the inbox of one receiver.
pub(crate) struct ReceiveLane {
    core: Rc<Core>,
    inbox: Arc<ReceiverInbox>,
    lanes: Rc<Cell<usize>>,
    turn: Turn,
    timeout: Duration,
    chain: Rc<Chain>,
    filter: Option<Filter>,
    run: Invocation,
    /// While it looks or handles, the group has something in hand.
    in_hand: Option<InHand>,
    /// It holds something that no handler has done with: who ends the lane now drops that.
    holds: bool,
    row: Row,
}

/// A handling that has its turn.
pub(crate) struct Begun<'a> {
    entered: Entered<'a>,
    ticket: Option<Ticket>,
    _turn: Guard,
}

impl ReceiveLane {
    pub(crate) fn open<A: 'static>(instance: &Instance<A>, receiver: &Receiver<A>) -> Self {
        let (core, plan) = (&instance.core, &receiver.plan);
        let options = &plan.options;
        let chain = plan.handler.chain(&instance.plan.layers, options.rate, &options.layers, core);
        Self {
            core: core.clone(),
            inbox: receiver.inbox.clone(),
            lanes: receiver.lanes(),
            turn: plan.handler.turn,
            timeout: options.timeout,
            chain: chain.clone(),
            filter: options.filter.clone(),
            run: Invocation::new(core, core.cx.clone(), &plan.handler),
            in_hand: None,
            holds: false,
            row: Row::default(),
        }
    }

    /// What extractors see of the handling.
    pub(crate) fn run(&self) -> &Invocation {
        &self.run
    }

    /// The next signal or call; `None` when the lane ends.
    pub(crate) async fn next(&mut self) -> Option<Arrived> {
        loop {
            if self.row.is_full() {
                self.waits();
                tokio::task::yield_now().await;
            }
            // Before the inbox is looked at, so that nothing is ever in neither count.
            self.in_hand.get_or_insert_with(|| self.core.shared.env.gauge.begin());
            if self.core.crash.has_happened() || self.core.finishing.get() {
                return None;
            }
            if let Some(arrived) = self.inbox.inbox.pop() {
                return Some(arrived);
            }
            if self.core.cx.is_stopping() || self.inbox.is_closed() {
                return None;
            }
            self.in_hand = None;
            if !self.inbox.inbox.wait().await {
                return None;
            }
        }
    }

    /// Decodes the payload, and asks the filter. What cannot be decoded is counted and, if it is a call, answered with an error.
    pub(crate) fn read<S: 'static>(
        &mut self,
        arrived: Arrived,
        read: impl FnOnce(&Shared, &Arriving) -> Result<S, DecodeFailure>,
    ) -> Option<(S, Option<Ticket>)> {
        let Arrived { arriving, ticket } = arrived;
        let shared = &self.core.shared;
        let read = guarded_now(|| read(shared, &arriving));
        let sifted = match (read, &self.filter) {
            (Ok(Ok(payload)), Some(filter)) => self.chain.sift(filter, payload),
            (Ok(Ok(payload)), None) => Ok(Some(payload)),
            (Ok(Err(DecodeFailure { what, reason })), _) => {
                let (env, signal, sender) = (&shared.env, &arriving.signal, &arriving.sender);
                crate::bus::bad(env, signal, sender, what, &reason, &arriving.body);
                ticket.into_iter().for_each(|ticket| ticket.fail("decode", &*reason));
                return None;
            }
            (Err(message), _) => Err(message),
        };
        match sifted {
            Ok(Some(payload)) => {
                let Arriving { signal, sender, call, body: _ } = arriving;
                (self.run.place, self.run.sender, self.run.call) = (Some(signal), Some(sender), call);
                self.holds = true;
                Some((payload, ticket))
            }
            Ok(None) => {
                let (agent, handler) = (|| shared.agent.clone(), || self.inbox.name.clone());
                let event = || Event::Filtered { agent: agent(), handler: handler(), signal: arriving.signal };
                shared.env.events.emit(EventKind::Filtered, event);
                ticket.into_iter().for_each(Ticket::decline);
                None
            }
            Err(message) => {
                self.core.crash.tell(self.run.scope.handler(), &message);
                ticket.into_iter().for_each(|ticket| ticket.fail("panic", &*message));
                None
            }
        }
    }

    /// Waits for the rate and for the turn. A request that would wait for its own caller is answered with an error.
    pub(crate) async fn begin(&self, ticket: Option<Ticket>) -> Option<Begun<'_>> {
        let entered = self.chain.enter(&self.run, Some(self.timeout));
        self.chain.wait_for_rate().await;
        let own = ticket.as_ref().and_then(Ticket::id).and_then(|id| self.core.shared.own_calls.origin(id));
        let turns = &self.core.turns;
        let turn = match own.map(|origin| (origin.handler, origin.turn)) {
            Some((_, Turn::Read)) if self.turn == Turn::Read => turns.overtake(),
            Some((caller, held)) if held != Turn::None && self.turn != Turn::None => {
                self.refuse(ticket, &caller, held);
                return None;
            }
            _ => None,
        };
        let turn = match turn.or_else(|| turns.try_take(self.turn)) {
            Some(turn) => turn,
            None => {
                self.waits();
                turns.take(self.turn).await
            }
        };
        Some(Begun { entered, ticket, _turn: turn })
    }

    fn refuse(&self, ticket: Option<Ticket>, caller: &str, turn: Turn) {
        let held = if turn == Turn::Write { "write (`&mut self`)" } else { "read (`&self`)" };
        let message = format!(
            "`{}` is asked by `{caller}` of the same agent, which holds the {held} turn that it would wait for: call \
             from a `&self` handler into a `&self` handler, or call the method directly",
            self.run.handler()
        );
        ticket.into_iter().for_each(|ticket| ticket.fail("deadlock", &*message));
    }

    /// Runs the handler, answers with what `answer` makes of its result, and passes the turn on.
    pub(crate) async fn handle(
        &self,
        begun: Begun<'_>,
        handler: impl Future<Output = LayerResult>,
        answer: impl FnOnce() -> Result<Value, HandlerError>,
    ) {
        let Begun { entered, ticket, _turn } = begun;
        let ran = self.chain.run(&self.core, entered, &self.run, &|| self.waits(), handler).await;
        let Some(ticket) = ticket else { return };
        match ran {
            Ran::Ok => match answer() {
                Ok(value) => ticket.answer(value),
                Err(error) => ticket.fail(error.kind(), error.to_string()),
            },
            Ran::Failed(error) => ticket.fail(error.kind(), error.to_string()),
            Ran::Panicked(message) => ticket.fail("panic", message),
        }
    }

    /// The handling is over: its handles have outlived it.
    pub(crate) fn end(&mut self) {
        self.holds = false;
        self.run.end();
    }

    fn waits(&self) {
        self.inbox.inbox.pass_on(&self.core.shared.wake);
    }
}

impl Drop for ReceiveLane {
    fn drop(&mut self) {
        if let Some(signal) = self.run.place.as_ref().filter(|_| self.holds) {
            let reason = if self.core.crash.has_happened() { DropReason::Crashed } else { DropReason::Stopped };
            dropped(&self.core.shared, self.run.scope.handler(), signal, reason);
        }
        self.lanes.set(self.lanes.get() - 1);
    }
}
