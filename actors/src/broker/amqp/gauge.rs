//! The states of two connections as that of one adapter: it is up when both are.

use std::cell::RefCell;
use std::rc::Rc;

use crate::amqp::{Observer, State};

#[derive(Clone)]
pub(super) struct Gauge(Rc<RefCell<Inner>>);

struct Inner {
    states: [Option<State>; 2],
    told: Box<dyn FnMut(&State)>,
}

impl Gauge {
    pub(super) fn new(told: impl FnMut(&State) + 'static) -> Self {
        Self(Rc::new(RefCell::new(Inner { states: [None, None], told: Box::new(told) })))
    }

    /// The observer of one of the connections.
    pub(super) fn of(&self, at: usize) -> Observer {
        let inner = self.0.clone();
        Box::new(move |state| inner.borrow_mut().see(at, state))
    }
}

impl Inner {
    fn see(&mut self, at: usize, state: &State) {
        if let Some(place) = self.states.get_mut(at) {
            *place = Some(state.clone());
        }
        match &self.states {
            [Some(State::Up { generation }), Some(State::Up { generation: other })] => {
                (self.told)(&State::Up { generation: generation + other });
            }
            // The first that is down tells why.
            states => {
                if let Some(down) = states.iter().flatten().find(|state| matches!(state, State::Down { .. })) {
                    (self.told)(down);
                }
            }
        }
    }
}
