//! One instance of an agent: everything that is dropped when it crashes.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_util::FutureExt;

use super::context::Cx;
use super::lanes::ConsumerSlot;
use super::plan::Plan;
use super::reception::Reception;
use super::shared::Shared;
use super::task_group::OwnTasks;
use super::turns::Turns;
use crate::stall::Beat;

/// It never leaves its arbiter.
pub(crate) struct Instance<A> {
    pub(crate) agent: RefCell<A>,
    pub(crate) plan: Rc<Plan<A>>,
    pub(crate) reception: Rc<Reception<A>>,
    pub(crate) core: Rc<Core>,
}

/// What of an instance does not know the agent's type.
pub(crate) struct Core {
    pub(crate) turns: Turns,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cx: Cx,
    /// What extractors reach the agent's receivers by.
    pub(crate) reception: Weak<dyn Any>,
    pub(crate) consumers: RefCell<Rc<[Rc<ConsumerSlot>]>>,
    /// How many lanes each consumer has.
    pub(crate) lanes: Box<[Cell<usize>]>,
    pub(crate) crash: CrashCell,
    pub(crate) beat: Arc<Beat>,
    /// This instance ends and another one follows: what waits in the inboxes is the other one's.
    pub(crate) finishing: Cell<bool>,
    /// How many closures of handles wait for their turn or run.
    pub(crate) jobs: Cell<usize>,
    pub(crate) tasks: OwnTasks,
}

impl Drop for Core {
    fn drop(&mut self) {
        // Whoever waits for the end of an instance waits for this one, too.
        self.cx.stopping_flag().raise();
    }
}

/// What ended an instance: the first that is told counts.
pub(crate) struct CrashCell {
    crash: OnceCell<Crash>,
    /// Whose life has to know.
    shared: Arc<Shared>,
}

/// Why an instance ended abnormally.
#[derive(Debug, Clone)]
pub(crate) struct Crash {
    pub(crate) handler: Arc<str>,
    pub(crate) message: Arc<str>,
}

impl CrashCell {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { crash: OnceCell::new(), shared }
    }

    pub(crate) fn tell(&self, handler: &Arc<str>, message: &str) {
        self.crash.get_or_init(|| Crash { handler: handler.clone(), message: message.into() });
        self.shared.wake.notify_one();
    }

    pub(crate) fn has_happened(&self) -> bool {
        self.crash.get().is_some()
    }

    pub(crate) fn get(&self) -> Option<&Crash> {
        self.crash.get()
    }
}

/// Runs user code; a panic becomes its message. Not an async function, which would hold the future twice.
pub(crate) fn guarded<T>(future: impl Future<Output = T>) -> impl Future<Output = Result<T, String>> {
    AssertUnwindSafe(future).catch_unwind().map(|ended| ended.map_err(|panic| panic_message(&*panic)))
}

/// Runs user code that is not async.
pub(crate) fn guarded_now<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(f)).map_err(|panic| panic_message(&*panic))
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}
