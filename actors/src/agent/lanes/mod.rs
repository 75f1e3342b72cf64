//! Lanes: the tasks that take from the inboxes and run handlers, at most as many beside each other as a handler allows.
//!
//! The first lane of a handler is opened by its first message. A lane that has to wait lets another one take what comes
//! next, so there are about as many lanes as handlings that wait at once; one stays, idle, when all is done.

mod batch;
mod consume;
mod keys;
mod receive;
mod slot;
mod turn;

use std::rc::Rc;

use super::inbox::IN_A_ROW;
use super::instance::Instance;
use super::life::Running;

pub(crate) use batch::{BatchLane, Gatherers};
pub(crate) use consume::ConsumeLane;
pub(crate) use receive::ReceiveLane;
pub(crate) use slot::{ConsumerSlot, InHandDelivery};

/// Counts handlings in a row. After [`IN_A_ROW`] of them a lane lets others have the arbiter, and other lanes are opened for
/// what waits: a receiver with much to do gets more of the arbiter.
#[derive(Default)]
struct Row(usize);

impl Row {
    fn is_full(&mut self) -> bool {
        self.0 = (self.0 + 1) % IN_A_ROW;
        self.0 == 0
    }
}

/// Opens the lanes that are wanted.
pub(crate) fn dispatch<A: 'static>(running: &mut Running<A>) {
    let instance: &Rc<Instance<A>> = &running.instance;
    let core = &instance.core;
    instance.reception.for_each(|receiver| {
        for _ in 0..receiver.lanes_wanted() {
            running.work.spawn((receiver.plan.open)(instance.clone(), receiver.clone()));
        }
    });
    if core.cx.is_stopping() {
        return;
    }
    let slots = core.consumers.borrow().clone();
    for (at, slot) in slots.iter().enumerate() {
        let plan = &instance.plan.consumers[at];
        let lanes = &core.lanes[at];
        let most = plan.options.concurrency.get();
        for _ in 0..slot.inbox.inbox.lanes_wanted(lanes.get(), most) {
            lanes.set(lanes.get() + 1);
            running.work.spawn((plan.open)(instance.clone(), at));
        }
    }
}

/// Lets idle lanes see that the instance ends.
pub(crate) fn rouse<A: 'static>(instance: &Instance<A>) {
    instance.reception.for_each(|receiver| receiver.inbox.inbox.rouse());
    instance.core.consumers.borrow().iter().for_each(|slot| slot.inbox.inbox.rouse());
}
