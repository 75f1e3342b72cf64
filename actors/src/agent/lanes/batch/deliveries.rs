use std::rc::Rc;

use super::gatherer::Gathered;
use crate::agent::lanes::{ConsumerSlot, InHandDelivery};

/// The deliveries of one batch. Those that nobody settled go back together, in their order.
pub(super) struct Deliveries {
    pub(super) all: Vec<InHandDelivery>,
    slot: Rc<ConsumerSlot>,
}

/// A batch that is ready to be handled.
pub(crate) struct Batch<P> {
    pub(super) messages: Vec<P>,
    pub(super) deliveries: Deliveries,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        if self.slot.is_keeping() {
            return;
        }
        self.slot.put_all_back(self.all.iter().filter_map(|delivery| delivery.state.leftover()).collect());
    }
}

impl<P> Batch<P> {
    pub(super) fn new(slot: &Rc<ConsumerSlot>) -> Self {
        Self { messages: Vec::new(), deliveries: Deliveries { all: Vec::new(), slot: slot.clone() } }
    }

    pub(super) fn push(&mut self, gathered: Gathered<P>) {
        self.messages.push(gathered.message);
        self.deliveries.all.push(gathered.delivery);
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}
