//! One instance of an agent: everything that is dropped when it crashes.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Notify;

use super::context::Cx;
use super::lanes::ConsumerSlot;
use super::plan::Plan;
use super::receive::ReceiverInbox;
use super::shared::Shared;
use super::task_group::OwnTasks;
use super::turns::Turns;
use crate::stall::Beat;

/// It never leaves its arbiter.
pub(crate) struct Instance<A> {
    pub(crate) agent: RefCell<A>,
    pub(crate) plan: Rc<Plan<A>>,
    pub(crate) core: Rc<Core>,
}

/// What of an instance does not know the agent's type.
pub(crate) struct Core {
    pub(crate) turns: Turns,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cx: Cx,
    pub(crate) receivers: Arc<[Arc<ReceiverInbox>]>,
    pub(crate) consumers: RefCell<Rc<[Rc<ConsumerSlot>]>>,
    pub(crate) lanes: Lanes,
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

/// How many lanes each receiver and consumer has.
#[derive(Default)]
pub(crate) struct Lanes {
    pub(crate) receivers: Box<[Cell<usize>]>,
    pub(crate) consumers: Box<[Cell<usize>]>,
}

/// What ended an instance: the first that is told counts.
#[derive(Default)]
pub(crate) struct CrashCell {
    crash: RefCell<Option<Crash>>,
    told: Notify,
}

/// Why an instance ended abnormally.
#[derive(Debug, Clone)]
pub(crate) struct Crash {
    pub(crate) handler: Arc<str>,
    pub(crate) message: Arc<str>,
}

impl CrashCell {
    pub(crate) fn tell(&self, handler: &Arc<str>, message: &str) {
        self.crash.borrow_mut().get_or_insert_with(|| Crash { handler: handler.clone(), message: message.into() });
        self.told.notify_one();
    }

    pub(crate) fn has_happened(&self) -> bool {
        self.crash.borrow().is_some()
    }

    pub(crate) async fn wait(&self) -> Crash {
        loop {
            if let Some(crash) = self.crash.borrow().clone() {
                return crash;
            }
            self.told.notified().await;
        }
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
