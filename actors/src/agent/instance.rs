//! One instance of an agent, and the running of one handler on it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::access::Access;
use super::context::Cx;
use super::delivery::DeliveryState;
use super::invocation::{Invocation, Scope};
use super::plan::{Plan, Ready};
use super::receive::ReceiverInbox;
use super::shared::Shared;
use super::task_group::OwnTasks;
use super::turns::{Turn, Turns};
use super::work::ConsumerSlot;
use crate::error::HandlerError;
use crate::events::{Event, EventKind, HandlerKind};

/// Everything that is dropped when the agent crashes. It never leaves its arbiter.
pub(crate) struct Instance<A> {
    pub(crate) agent: RefCell<A>,
    pub(crate) turns: Turns,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cx: Cx,
    pub(crate) plan: Rc<Plan<A>>,
    pub(crate) receivers: Rc<[Arc<ReceiverInbox>]>,
    pub(crate) consumers: Rc<[Rc<ConsumerSlot>]>,
    pub(crate) lanes: Lanes,
    pub(crate) crash: CrashCell,
    pub(crate) stopping: watch::Receiver<bool>,
    /// This instance ends and another one follows: what waits in the inboxes is the other one's.
    pub(crate) finishing: Cell<bool>,
    /// How many closures of handles wait for their turn or run.
    pub(crate) jobs: Cell<usize>,
    pub(crate) tasks: OwnTasks,
}

/// How many lanes each receiver and consumer has.
#[derive(Default)]
pub(crate) struct Lanes {
    pub(crate) receivers: Vec<Cell<usize>>,
    pub(crate) consumers: Vec<Cell<usize>>,
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

/// How a handler is run.
pub(crate) struct Run {
    pub(crate) handler: Arc<str>,
    pub(crate) kind: HandlerKind,
    pub(crate) turn: Turn,
    pub(crate) timeout: Duration,
    pub(crate) sender: Option<Arc<str>>,
    pub(crate) delivery: Option<Arc<DeliveryState>>,
}

/// How a run ended.
pub(crate) enum Ran<T> {
    Ok(T),
    Failed(HandlerError),
    Panicked(String),
}

impl<A: 'static> Instance<A> {
    /// Runs a handler that has its turn. Its timeout begins now.
    pub(crate) async fn run<T>(&self, run: Run, ready: Ready<A, T>) -> Ran<T> {
        let Run { handler, kind, turn, timeout, sender, delivery } = run;
        let started = Instant::now();
        let invocation = Invocation {
            shared: self.shared.clone(),
            cx: self.cx.clone(),
            scope: Arc::new(Scope {
                handler: handler.clone(),
                turn: Some(turn),
                deadline: started.checked_add(timeout),
            }),
            sender,
            delivery,
            tasks: self.tasks.clone(),
        };
        // The turns make sure that these borrows never meet.
        let call = async {
            match turn {
                Turn::Read => ready(Access::Read(&self.agent.borrow()), &invocation).await,
                Turn::Write => ready(Access::Write(&mut self.agent.borrow_mut()), &invocation).await,
            }
        };
        let ran = match guarded(within(timeout, call)).await {
            Ok(Some(Ok(value))) => Ran::Ok(value),
            Ok(Some(Err(error))) => Ran::Failed(error),
            Ok(None) => Ran::Failed(HandlerError::of_kind("timeout", format!("no end within {timeout:?}"))),
            Err(message) => Ran::Panicked(message),
        };
        self.tell(&handler, kind, started.elapsed(), &ran);
        ran
    }

    fn tell<T>(&self, handler: &Arc<str>, kind: HandlerKind, took: Duration, ran: &Ran<T>) {
        let shared = &self.shared;
        let events = &shared.env.events;
        let (agent, name) = (|| shared.agent.clone(), || handler.clone());
        match ran {
            Ran::Ok(_) => {
                events.emit(EventKind::Handled, || Event::Handled { agent: agent(), handler: name(), kind, took });
            }
            Ran::Failed(error) => {
                if let Some(times) = events.line_due("handler failed", &format!("{}.{handler}", shared.agent)) {
                    tracing::warn!(agent = %shared.agent, %handler, times, kind = error.kind(), "a handler failed: {error}");
                }
                let error = error.to_string().into();
                events.emit(EventKind::Failed, || Event::Failed { agent: agent(), handler: name(), kind, took, error });
            }
            Ran::Panicked(message) => self.crash.tell(handler, message),
        }
    }
}

/// Runs a future; `None` when it did not end in time. A future that panics when it is dropped does so in here.
async fn within<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(timeout, future).await.ok()
}

/// Runs user code; a panic becomes its message.
pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| panic_message(&*panic))
}

/// Runs user code that is not async.
pub(crate) fn guarded_now<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(f)).map_err(|panic| panic_message(&*panic))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}
