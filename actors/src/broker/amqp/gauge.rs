//! The states of several connections as that of one adapter: it is up when all of them are.

use std::cell::RefCell;
use std::rc::Rc;

use crate::amqp::{Observer, State};

#[derive(Clone)]
pub(super) struct Gauge(Rc<RefCell<Inner>>);

struct Inner {
    /// One for each connection, in the order in which they were opened; none until it is up or down for the first time.
    states: Vec<Option<State>>,
    told: Box<dyn FnMut(&State)>,
}

impl Gauge {
    pub(super) fn new(told: impl FnMut(&State) + 'static) -> Self {
        Self(Rc::new(RefCell::new(Inner { states: Vec::new(), told: Box::new(told) })))
    }

    /// The observer of one more connection.
    pub(super) fn another(&self) -> Observer {
        let inner = self.0.clone();
        let at = inner.borrow().states.len();
        inner.borrow_mut().states.push(None);
        Box::new(move |state| inner.borrow_mut().see(at, state))
    }
}

impl Inner {
    fn see(&mut self, at: usize, state: &State) {
        if let Some(place) = self.states.get_mut(at) {
            *place = Some(state.clone());
        }
        // The first that is down tells why.
        if let Some(down) = self.states.iter().flatten().find(|state| matches!(state, State::Down { .. })) {
            return (self.told)(down);
        }
        let generation_of = |state: &Option<State>| match state {
            Some(State::Up { generation }) => Some(*generation),
            _ => None,
        };
        if let Some(generations) = self.states.iter().map(generation_of).collect::<Option<Vec<_>>>() {
            (self.told)(&State::Up { generation: generations.iter().sum() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::ConnectError;

    fn down(why: &str) -> State {
        State::Down { reason: ConnectError::Unreachable(why.to_owned()) }
    }

    #[test]
    fn it_is_up_when_all_are_and_down_as_soon_as_one_is() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let gauge = Gauge::new({
            let told = told.clone();
            move |state| told.borrow_mut().push(state.clone())
        });
        let (mut first, mut second) = (gauge.another(), gauge.another());
        first(&State::Up { generation: 1 });
        assert!(told.take().is_empty(), "the second is still on its way");
        second(&State::Up { generation: 1 });
        assert_eq!(told.take(), [State::Up { generation: 2 }]);
        let mut third = gauge.another();
        assert!(told.take().is_empty(), "one that is being opened is no outage");
        third(&down("third"));
        first(&State::Up { generation: 2 });
        assert_eq!(told.take(), [down("third"), down("third")]);
        second(&down("second"));
        third(&State::Up { generation: 1 });
        second(&State::Up { generation: 2 });
        assert_eq!(told.take(), [down("second"), down("second"), State::Up { generation: 5 }]);
    }
}
