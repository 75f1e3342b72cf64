use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::agent::delivery_state::{DeliveryState, End, Source};
use crate::agent::instance::guarded_now;
use crate::agent::key_lines::{KeyLines, Place};
use crate::agent::receive::ConsumerInbox;
use crate::agent::seen::Memory;
use crate::agent::shared::Shared;
use crate::contract::{Delivered, Settlement, Token};

/// What a consumer has beside its plan. It outlives the instances of its agent.
pub(crate) struct ConsumerSlot {
    pub(crate) inbox: Arc<ConsumerInbox>,
    pub(crate) source: Arc<Source>,
    /// Who handles messages of which key, for `by` and for `dedup`.
    pub(crate) ordered: KeyLines,
    pub(crate) alike: KeyLines,
    pub(crate) memory: Memory,
    /// While a crash or a stop collects what goes back, so that it goes back in its old order.
    returns: RefCell<Option<Vec<Settlement>>>,
    /// While a crash, or an end that another instance follows, collects what that one has to handle.
    kept: RefCell<Option<Vec<Delivered>>>,
    /// What is in the inbox and given up already.
    postponed: RefCell<BTreeMap<Token, End>>,
    shared: Arc<Shared>,
}

impl ConsumerSlot {
    pub(crate) fn new(inbox: Arc<ConsumerInbox>, source: Source, shared: Arc<Shared>) -> Self {
        Self {
            inbox,
            source: Arc::new(source),
            ordered: KeyLines::default(),
            alike: KeyLines::default(),
            memory: Memory::default(),
            returns: RefCell::default(),
            kept: RefCell::default(),
            postponed: RefCell::default(),
            shared,
        }
    }

    /// From now on, what goes back waits for [`ConsumerSlot::give_back`].
    pub(crate) fn collect(&self) {
        self.returns.borrow_mut().get_or_insert_default();
    }

    /// From now on, what nobody has settled waits for [`ConsumerSlot::hand_on`].
    pub(crate) fn keep(&self) {
        self.kept.borrow_mut().get_or_insert_default();
    }

    /// Leaves what was kept to the next instance, before all that has come since, in its old order.
    pub(crate) fn hand_on(&self) {
        let mut kept = self.kept.borrow_mut().take().unwrap_or_default();
        kept.sort_by_key(|delivered| delivered.token);
        for delivered in kept.into_iter().rev() {
            self.inbox.inbox.put_back(delivered, &self.shared.wake);
        }
    }

    pub(crate) fn is_keeping(&self) -> bool {
        self.kept.borrow().is_some()
    }

    /// What nobody has settled: kept, or given back.
    fn left(&self, state: &DeliveryState) {
        if !self.is_keeping() {
            return self.put_back(state.leftover());
        }
        let (end, Some(delivered)) = (state.end(), state.withdraw()) else { return };
        if let Some(end) = end {
            self.postponed.borrow_mut().insert(delivered.token, end);
        }
        self.kept.borrow_mut().get_or_insert_default().push(delivered);
    }

    /// Collects what is in the inbox too.
    pub(crate) fn collect_inbox(&self) {
        for delivered in self.inbox.inbox.drain() {
            self.put_back(self.state(delivered).leftover());
        }
    }

    /// Gives back what was collected, in one batch.
    pub(crate) fn give_back(&self) {
        let returns = self.returns.borrow_mut().take().unwrap_or_default();
        if !returns.is_empty() {
            self.source.broker.settle(self.source.consumer, returns);
        }
    }

    /// Gives back what belongs together, in one batch.
    pub(crate) fn put_all_back(&self, settlements: Vec<Settlement>) {
        match &mut *self.returns.borrow_mut() {
            Some(returns) => returns.extend(settlements),
            None if settlements.is_empty() => {}
            None => self.source.broker.settle(self.source.consumer, settlements),
        }
    }

    fn put_back(&self, settlement: Option<Settlement>) {
        let Some(settlement) = settlement else { return };
        match &mut *self.returns.borrow_mut() {
            Some(returns) => returns.push(settlement),
            None => self.source.broker.settle(self.source.consumer, settlement),
        }
    }

    /// The state of a delivery from the inbox.
    pub(crate) fn state(&self, delivered: Delivered) -> DeliveryState {
        let token = delivered.token;
        let state = DeliveryState::new(delivered, self.source.clone());
        self.postponed_of(token, &state);
        state
    }

    /// The same in a place that was used before, if nobody else holds that.
    pub(crate) fn state_in(&self, place: Option<Arc<DeliveryState>>, delivered: Delivered) -> Arc<DeliveryState> {
        let Some(mut place) = place else { return Arc::new(self.state(delivered)) };
        match Arc::get_mut(&mut place) {
            Some(state) => {
                let token = delivered.token;
                state.renew(delivered);
                self.postponed_of(token, state);
                place
            }
            None => Arc::new(self.state(delivered)),
        }
    }

    fn postponed_of(&self, token: Token, state: &DeliveryState) {
        let mut postponed = self.postponed.borrow_mut();
        if !postponed.is_empty()
            && let Some(end) = postponed.remove(&token)
        {
            state.give_up(end);
        }
    }

    /// Leaves a message that is given up to the next instance: it is the first in the inbox, and still ours.
    pub(crate) fn postpone(&self, state: &DeliveryState) -> bool {
        let (Some(end), Some(delivered)) = (state.end(), state.withdraw()) else { return false };
        self.postponed.borrow_mut().insert(delivered.token, end);
        self.inbox.inbox.put_back(delivered, &self.shared.wake);
        true
    }
}

/// A delivery on its way through its handler. One that nobody settles goes back: its lane was aborted, or its turn never
/// came.
pub(crate) struct InHandDelivery {
    pub(crate) state: Arc<DeliveryState>,
    slot: Rc<ConsumerSlot>,
    /// Its places in the lines of its keys.
    pub(crate) ordered: Option<Place>,
    pub(crate) alike: Option<(Arc<str>, Place)>,
}

impl InHandDelivery {
    pub(crate) fn new(state: Arc<DeliveryState>, slot: Rc<ConsumerSlot>) -> Self {
        Self { state, slot, ordered: None, alike: None }
    }
}

impl Drop for InHandDelivery {
    fn drop(&mut self) {
        self.slot.left(&self.state);
        if let Some(afterwards) = self.state.afterwards() {
            // It may hold the delivery itself.
            guarded_now(|| drop(afterwards)).ok();
        }
    }
}
