use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use formicary_protocol::Bytes;

use crate::contract::{Delivered, DeliveryInlet, Token};

/// Notes what goes through to a consumer, so that its settlement can be told with it. The consumer's credit bounds it.
pub(super) struct Tap {
    inlet: Arc<dyn DeliveryInlet>,
    taken: Mutex<BTreeMap<Token, Taken>>,
}

#[derive(Default)]
pub(super) struct Taken {
    pub(super) attempt: u32,
    pub(super) body: Bytes,
}

impl Tap {
    pub(super) fn new(inlet: Arc<dyn DeliveryInlet>) -> Self {
        Self { inlet, taken: Mutex::default() }
    }

    pub(super) fn take(&self, token: Token) -> Option<Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&token)
    }
}

impl DeliveryInlet for Tap {
    fn deliver(&self, delivery: Delivered) {
        let taken = Taken { attempt: delivery.attempt, body: delivery.body.clone() };
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(delivery.token, taken);
        self.inlet.deliver(delivery);
    }
}
